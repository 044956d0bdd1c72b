import * as oauth from 'oauth4webapi';
import type { Clock } from '../lib/clock.ts';
import { AppError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { isLoopback } from '../lib/loopback.ts';
import { createJwkSet, type Identity, type VerifiedToken, verifyToken } from './verify-token.ts';
import { keep } from '../lib/cached.ts';
import { badStatus, ssoTrouble } from './sso-errors.ts';
import { createSsoHttp, type SsoHttp, type SsoTimeouts } from './sso-http.ts';
import { issuersOf, readMetadata, type SsoMetadata } from './sso-metadata.ts';
import { createTokenEndpoint, type KeepToken } from './token-endpoint.ts';

export interface SsoOptions {
  /** SSO_BASE_URL, without a slash at its end. */
  readonly baseUrl: string;
  readonly clientId: string;
  /** Without a secret we are a public client, and PKCE alone protects the login. */
  readonly clientSecret?: string | undefined;
  /** Exactly as it is registered with EVE. */
  readonly callbackUrl: string;
  readonly userAgent: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether this SSO refuses good logins around EVE's daily downtime. Default: unless it is on this machine. */
  readonly downtime?: boolean | undefined;
  /** Milliseconds; shorter in tests. */
  readonly timeouts?: SsoTimeouts;
}

/** Where to send a person, and what to remember until EVE sends the person back. State and verifier are secrets. */
export interface LoginStart {
  readonly url: string;
  readonly state: string;
  readonly verifier: string;
}

/** What a login or a refresh brought. The refresh token may be another than before: keep it before using anything. */
export interface Grant extends VerifiedToken {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/**
 * EVE's login server. All throw AppError: SSO_UNREACHABLE and SSO_TROUBLE (`retry`, or `wait` with a time),
 * SSO_UNTRUSTED, SSO_BAD_CLIENT, SSO_BAD_SCOPE, BAD_TOKEN and LOGIN_DEAD (`fail`). No message holds a secret.
 */
export interface SsoClient {
  readonly clientId: string;
  /** What the SSO says of itself, kept for five minutes. */
  metadata(): Promise<SsoMetadata>;
  /** Scopes: at least one, since EVE gives no refresh token otherwise. */
  startLogin(scopes: readonly string[]): Promise<LoginStart>;
  /** Once per code, within five minutes of EVE's giving it. */
  finishLogin(login: { readonly code: string; readonly verifier: string }): Promise<Grant>;
  /**
   * One at a time per character: two would race for a rotated token. `rotated` is called with a new refresh token before
   * anything else can fail: the old one may be dead, and a grant that does not pass its checks must not take the new one
   * with it. What it throws, `refresh` throws.
   */
  refresh(refreshToken: string, signal?: AbortSignal, rotated?: KeepToken): Promise<Grant>;
  /** Ends the login at EVE; no error when it is dead already. */
  revoke(refreshToken: string): Promise<void>;
  /** Checks an access token that came from elsewhere. */
  verify(accessToken: string): Promise<VerifiedToken>;
  close(): Promise<void>;
}

export type { Identity, SsoMetadata, VerifiedToken };

/** Addresses of the SSO may change (facts d: "cache a few minutes"). */
const METADATA_MAX_AGE = 5 * 60_000;

function checkBaseUrl(baseUrl: string): URL {
  const base = new URL(baseUrl);
  if (base.protocol === 'https:' || isLoopback(base.hostname)) return base;
  throw new AppError(
    `SSO_BASE_URL is ${base.origin}; logins are sent over https only, except to this machine itself.`,
    { code: 'SSO_UNTRUSTED', verdict: 'fail' },
  );
}

const noRefreshToken = () =>
  ssoTrouble('EVE sent no refresh token, without which nothing can be collected. Begin the login anew.');

function checkScopes(scopes: readonly string[]): void {
  if (scopes.length > 0 && scopes.every((scope) => /^[\w.-]+$/.test(scope))) return;
  throw new AppError('A login needs the names of one or more scopes: without, EVE gives no refresh token.', {
    code: 'SSO_BAD_SCOPE',
    verdict: 'fail',
  });
}

/** The address that a person logs in at, with PKCE (S256). State and verifier have 32 random bytes each. */
async function startLogin(
  as: SsoMetadata,
  { clientId, callbackUrl }: SsoOptions,
  scopes: readonly string[],
): Promise<LoginStart> {
  const [state, verifier] = [oauth.generateRandomState(), oauth.generateRandomCodeVerifier()];
  const url = new URL(as.authorization_endpoint);
  const query = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: callbackUrl,
    scope: scopes.join(' '),
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return { url: url.href, state, verifier };
}

/** What the SSO is trusted for: what it says of itself, and its keys. */
function createTrust(options: SsoOptions, http: SsoHttp) {
  const { baseUrl, clientId, clock } = options;
  const read = async (url: string) => {
    const answer = await http.send(url);
    if (answer.status !== 200) throw badStatus(answer, clock.now());
    return answer.text;
  };
  const metadata = keep(clock, METADATA_MAX_AGE, async () =>
    readMetadata(await read(`${baseUrl}/.well-known/oauth-authorization-server`), baseUrl),
  );
  const keys = createJwkSet(clock, async () => read((await metadata.get()).jwks_uri));
  return {
    metadata: () => metadata.get(),
    async verify(accessToken: string): Promise<VerifiedToken> {
      const issuers = issuersOf(await metadata.get(), baseUrl);
      return verifyToken(accessToken, { keys, issuers, clientId, clock });
    },
    /** All that a token is checked against is there before one is asked for: none comes that cannot be checked. */
    async prepare(signal?: AbortSignal): Promise<SsoMetadata> {
      const as = await metadata.get();
      await keys.ready();
      signal?.throwIfAborted();
      return as;
    },
  };
}

/** Makes the client; sends nothing before it is asked. Throws SSO_UNTRUSTED for http to another machine. */
export function createSsoClient(options: SsoOptions): SsoClient {
  const { clientId, clock } = options;
  const base = checkBaseUrl(options.baseUrl);
  const http = createSsoHttp(options);
  const trust = createTrust(options, http);
  const downtime = options.downtime ?? !isLoopback(base.hostname);
  const endpoint = createTokenEndpoint({ ...options, base, http, downtime, now: () => clock.now() });
  return {
    clientId,
    metadata: () => trust.metadata(),
    async startLogin(scopes) {
      checkScopes(scopes);
      return startLogin(await trust.metadata(), options, scopes);
    },
    async finishLogin({ code, verifier }) {
      const { accessToken, refreshToken } = await endpoint.redeem(await trust.prepare(), code, verifier);
      if (refreshToken === undefined) throw noRefreshToken();
      return { ...(await trust.verify(accessToken)), accessToken, refreshToken };
    },
    async refresh(sent, signal, rotated) {
      const as = await trust.prepare(signal);
      // Once sent it is waited for: the answer may hold the only refresh token that is good from here on.
      const { accessToken, refreshToken = sent } = await endpoint.refresh(as, sent, rotated);
      return { ...(await trust.verify(accessToken)), accessToken, refreshToken };
    },
    revoke: async (refreshToken) => endpoint.revoke(await trust.metadata(), refreshToken),
    verify: (accessToken) => trust.verify(accessToken),
    close: () => http.close(),
  };
}
