import type { Algorithm } from './signing-keys.ts';

/** What becomes of a refresh token that is used: it stays, is good until its successor is used, or is dead at once. */
export type Rotation = 'never' | 'lenient' | 'strict';

/** A registered application. One without a secret is public and has to use PKCE. */
export interface SsoClient {
  id: string;
  secret?: string;
  /** Exact addresses; `loopback` is any port and path of the own machine. */
  redirectUris: string[];
}

export interface SsoOptions {
  /** Default: `simulated-client` with `simulated-secret`, back to any loopback address. */
  clients?: SsoClient[];
  /** Default `lenient`. */
  rotation?: Rotation;
  /** What tokens are signed with. Default RS256. */
  algorithm?: Algorithm;
}

export const DEFAULT_CLIENT: SsoClient = {
  id: 'simulated-client',
  secret: 'simulated-secret',
  redirectUris: ['loopback'],
};

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

function isLoopback(address: string): boolean {
  return URL.canParse(address) && LOOPBACK.has(new URL(address).hostname);
}

/** Whether an application may be sent back to here. */
export function mayRedirectTo(client: SsoClient, address: string): boolean {
  return client.redirectUris.some((known) =>
    known === 'loopback' ? isLoopback(address) : known === address,
  );
}
