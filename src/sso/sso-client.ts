import * as oauth from 'oauth4webapi';
import { cached } from '../lib/cached.ts';
import type { Clock } from '../lib/clock.ts';
import { MINUTE } from '../lib/duration.ts';
import { AppError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { isLoopback } from '../lib/loopback.ts';
import { classifySsoStatus, ssoFailure } from './sso-errors.ts';
import { createSsoHttp, type SsoHttp, type SsoTimeouts } from './sso-http.ts';
import { issuersOf, parseMetadata, type SsoMetadata } from './sso-metadata.ts';
import { createTokenEndpoint } from './token-endpoint.ts';
import { createJwkSet, type VerifiedToken, verifyToken } from './verify-token.ts';

export interface SsoOptions {
  /** SSO_BASE_URL, without a trailing slash. */
  readonly baseUrl: string;
  readonly clientId: string;
  /** Undefined: a public client, whose logins only PKCE protects. */
  readonly clientSecret?: string | undefined;
  /** Exactly as registered with EVE. */
  readonly callbackUrl: string;
  readonly userAgent: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether this SSO rejects valid logins around EVE's daily downtime. Default: unless it is on this machine. */
  readonly downtime?: boolean | undefined;
  /** Milliseconds; shorter in tests. */
  readonly timeouts?: SsoTimeouts;
}

/** The address of a login, and what has to be stored until EVE redirects back. State and verifier are secrets. */
export interface LoginStart {
  readonly url: string;
  readonly state: string;
  readonly verifier: string;
}

/** The tokens of a login, verified. */
export interface Grant extends VerifiedToken {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** The answer to a refresh, not verified yet. */
export interface RefreshAnswer {
  /**
   * The new refresh token; undefined where the old one remains valid. Store it before anything else: the old one may be
   * void, and an answer that fails its verification must not lose the new one.
   */
  readonly rotatedToken: string | undefined;
  /** Verifies the answer. Throws AppError SSO_TROUBLE when it is invalid, and what `verify` throws. */
  readonly verify: () => Promise<Grant>;
}

/**
 * Client of EVE's login server. All methods throw AppError: SSO_UNREACHABLE and SSO_TROUBLE (`retry`, or `wait` with a
 * time), SSO_UNTRUSTED, SSO_BAD_CLIENT, SSO_BAD_SCOPE, BAD_TOKEN and LOGIN_DEAD (`fail`). No message contains a secret.
 */
export interface SsoClient {
  readonly clientId: string;
  /** The SSO's metadata, cached for five minutes. */
  metadata(): Promise<SsoMetadata>;
  /** Starts a login with at least one scope, because EVE issues no refresh token without. */
  startLogin(scopes: readonly string[]): Promise<LoginStart>;
  /** Completes a login. Works once per code, within five minutes after EVE issued it. */
  finishLogin(login: { readonly code: string; readonly verifier: string }): Promise<Grant>;
  /** Refreshes a login. One refresh at a time per character: two would compete for a rotated token. */
  refresh(refreshToken: string, signal?: AbortSignal): Promise<RefreshAnswer>;
  /** Whether the token endpoint failed within the last hour, without a success since. */
  isFailing(): boolean;
  /** Revokes a login at EVE. No error when it is dead already. */
  revoke(refreshToken: string): Promise<void>;
  /** Verifies an access token from another source. */
  verify(accessToken: string): Promise<VerifiedToken>;
  close(): Promise<void>;
}

/** Addresses of the SSO may change, so EVE recommends to cache them for a few minutes. */
const METADATA_MAX_AGE = 5 * MINUTE;

function checkBaseUrl(baseUrl: string): URL {
  const base = new URL(baseUrl);
  if (base.protocol === 'https:' || isLoopback(base.hostname)) return base;
  throw new AppError(
    `SSO_BASE_URL="${base.origin}" is not safe. Use https, because logins are sent over http to this machine only.`,
    { code: 'SSO_UNTRUSTED', verdict: 'fail' },
  );
}

function checkScopes(scopes: readonly string[]): void {
  if (scopes.length > 0 && scopes.every((scope) => /^[\w.-]+$/.test(scope))) return;
  throw new AppError('A login needs at least one scope, because EVE issues no refresh token without.', {
    code: 'SSO_BAD_SCOPE',
    verdict: 'fail',
  });
}

/** Creates the address of a login with PKCE (S256). State and verifier have 32 random bytes each. */
async function createLogin(
  metadata: SsoMetadata,
  { clientId, callbackUrl }: SsoOptions,
  scopes: readonly string[],
): Promise<LoginStart> {
  const state = oauth.generateRandomState();
  const verifier = oauth.generateRandomCodeVerifier();
  const url = new URL(metadata.authorization_endpoint);
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

/** What tokens are verified with: the SSO's metadata and keys. */
function createVerifier({ baseUrl, clientId, clock }: SsoOptions, http: SsoHttp) {
  const get = async (url: string) => {
    const answer = await http.send(url);
    if (answer.status !== 200) throw classifySsoStatus(answer, clock.now());
    return answer.text;
  };
  const metadata = cached(clock, METADATA_MAX_AGE, async () =>
    parseMetadata(await get(`${baseUrl}/.well-known/oauth-authorization-server`), baseUrl),
  );
  const keys = createJwkSet(clock, async () => get((await metadata.get()).jwks_uri));
  return {
    metadata: () => metadata.get(),
    /** Loads metadata and keys before a token is requested, so that none arrives that cannot be verified. */
    prepare: async () => {
      const found = await metadata.get();
      await keys.ready();
      return found;
    },
    verify: async (accessToken: string) => {
      const issuers = issuersOf(await metadata.get(), baseUrl);
      return verifyToken(accessToken, { keys, issuers, clientId, clock });
    },
  };
}

/** Creates the client. Nothing is sent yet. Throws AppError SSO_UNTRUSTED for http to another machine. */
export function createSsoClient(options: SsoOptions): SsoClient {
  const base = checkBaseUrl(options.baseUrl);
  const http = createSsoHttp(options);
  const { metadata, prepare, verify } = createVerifier(options, http);
  const endpoint = createTokenEndpoint({
    ...options,
    base,
    http,
    downtime: options.downtime ?? !isLoopback(base.hostname),
    now: () => options.clock.now(),
  });
  return {
    clientId: options.clientId,
    metadata,
    async startLogin(scopes) {
      checkScopes(scopes);
      return createLogin(await metadata(), options, scopes);
    },
    async finishLogin({ code, verifier }) {
      const { accessToken, refreshToken } = await endpoint.redeem(await prepare(), code, verifier);
      if (refreshToken === undefined)
        throw ssoFailure('EVE sent no refresh token, which collecting needs. Please start again.');
      return { ...(await verify(accessToken)), accessToken, refreshToken };
    },
    async refresh(sent, signal) {
      const found = await prepare();
      signal?.throwIfAborted();
      // Once sent, the answer is awaited: it may contain the only refresh token that is valid from now on.
      const { rotatedToken, response } = await endpoint.refresh(found, sent);
      return {
        rotatedToken,
        verify: async () => {
          const { accessToken, refreshToken = sent } = await endpoint.readRefresh(found, response);
          return { ...(await verify(accessToken)), accessToken, refreshToken };
        },
      };
    },
    isFailing: endpoint.isFailing,
    revoke: async (refreshToken) => endpoint.revoke(await metadata(), refreshToken),
    verify,
    close: () => http.close(),
  };
}
