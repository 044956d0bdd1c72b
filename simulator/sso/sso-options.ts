import type { Algorithm } from './signing-keys.ts';

/** What happens to a refresh token that is used: it stays valid, is valid until its successor is used, or ends at once. */
export type Rotation = 'never' | 'lenient' | 'strict';

/** A registered application. One without a secret is public and must use PKCE. */
export interface SsoClient {
  id: string;
  secret?: string;
  /** Exact addresses; `loopback` allows any port and path of a loopback host. */
  redirectUris: string[];
}

export interface SsoOptions {
  /** Default: `simulated-client` with `simulated-secret`, redirecting to any loopback address. */
  clients?: SsoClient[];
  /** Default: `lenient`. */
  rotation?: Rotation;
  /** The algorithm that signs tokens. Default: RS256. */
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

/** Whether the application may redirect to this address. */
export function mayRedirectTo(client: SsoClient, address: string): boolean {
  return client.redirectUris.some((known) =>
    known === 'loopback' ? isLoopback(address) : known === address,
  );
}
