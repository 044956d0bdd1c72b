import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { silentLog } from '../../src/lib/log.ts';
import { createSsoClient, type SsoClient, type SsoOptions } from '../../src/sso/sso-client.ts';
import { allOf, errorOf } from './support.ts';
import { type TestClock, testClock } from '../support/test-clock.ts';

export const CLIENT_ID = 'my3rdpartyclientid';
export const SECRET = 'eat_0clientSecret_0z';
export const AGENT = 'eve-collector-test (test@example.com)';
export const ISSUER = 'login.eveonline.com';
const CALLBACK = 'http://localhost:8080/callback';

/** The response to a request: a status and a body, or a function that writes it. */
export type ResponseTo = { status?: number; headers?: Record<string, string>; body?: unknown } | Respond;
type Respond = (response: ServerResponse) => void;

export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly form: Readonly<Record<string, string>>;
}

/** A server in place of the SSO that responds as the test configures it. The simulator is the well-behaved SSO. */
export interface TestSso {
  readonly url: string;
  readonly sso: SsoClient;
  readonly clock: TestClock;
  /** Responses by path. Metadata and keys are configured from the start. */
  readonly responses: Record<string, ResponseTo>;
  readonly received: ReceivedRequest[];
  readonly count: (path: string) => number;
  close(): Promise<void>;
}

export const METADATA = '/.well-known/oauth-authorization-server';
export const JWKS = '/oauth/jwks';
export const TOKEN = '/v2/oauth/token';
export const REVOKE = '/v2/oauth/revoke';

/** EVE's metadata at another address. */
export function documentOf(url: string): Record<string, string> {
  return {
    issuer: ISSUER,
    authorization_endpoint: `${url}/v2/oauth/authorize`,
    token_endpoint: url + TOKEN,
    jwks_uri: url + JWKS,
    revocation_endpoint: url + REVOKE,
  };
}

export async function startTestSso(options: Partial<SsoOptions> = {}): Promise<TestSso> {
  const received: ReceivedRequest[] = [];
  const responses: Record<string, ResponseTo> = {};
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const path = new URL(request.url!, 'http://sso').pathname;
      received.push({ path, headers: request.headers, form: Object.fromEntries(new URLSearchParams(body)) });
      const respond = responses[path] ?? { status: 404 };
      if (typeof respond === 'function') return respond(response);
      const { status = 200, headers = { 'content-type': 'application/json' }, body: answer = '' } = respond;
      return response
        .writeHead(status, headers)
        .end(typeof answer === 'string' ? answer : JSON.stringify(answer));
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  responses[METADATA] = { body: documentOf(url) };
  responses[JWKS] = { body: { keys: [] } };
  const clock = testClock();
  const identity = { clientId: CLIENT_ID, clientSecret: SECRET, callbackUrl: CALLBACK, userAgent: AGENT };
  const sso = createSsoClient({ baseUrl: url, ...identity, clock, log: silentLog, ...options });
  return {
    url,
    sso,
    clock,
    responses,
    received,
    count: (path) => received.filter((each) => each.path === path).length,
    async close() {
      await sso.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Claims = Readonly<Record<string, unknown>>;

export interface Signer {
  readonly jwk: Record<string, unknown>;
  readonly sign: (claims?: Claims, header?: Record<string, unknown>) => Promise<string>;
}

/** The claims of EVE's tokens (recorded); they are valid for 20 minutes of the clock's start. */
export const CLAIMS = {
  scp: ['esi-wallet.read_character_wallet.v1', 'esi-assets.read_assets.v1'],
  jti: '998e12c7-3241-43c5-8355-2c48822e0a1b',
  sub: 'CHARACTER:EVE:90000001',
  azp: CLIENT_ID,
  aud: [CLIENT_ID, 'EVE Online'],
  name: 'Some Bloke',
  owner: '8PmzCeTKb4VFUDrHLc/AeZXDSWM=',
  iat: testClock().now() / 1_000,
  exp: testClock().now() / 1_000 + 1_200,
  iss: ISSUER,
};

/** A key that signs tokens. */
export async function signer(alg: 'RS256' | 'ES256', kid: string): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return {
    jwk: { ...(await exportJWK(publicKey)), alg, kid, use: 'sig' },
    sign: (claims = {}, header = {}) => signWith(privateKey, claims, { alg, kid, ...header }),
  };
}

export function signWith(
  key: CryptoKey | Uint8Array,
  claims: Claims,
  header: Record<string, unknown> & { alg: string },
): Promise<string> {
  return new SignJWT({ ...CLAIMS, ...claims }).setProtectedHeader({ typ: 'JWT', ...header }).sign(key);
}

export const REFRESH_TOKEN = 'Rf+0refreshToken/0==';
export const NEW_TOKEN = 'Rf+1rotatedToken/1==';

/** What the SSO responses to a refresh, with another refresh token. */
export const grantOf = async ({ sign }: Signer, claims?: Claims) => ({
  access_token: await sign(claims),
  expires_in: 1199,
  token_type: 'Bearer',
  refresh_token: NEW_TOKEN,
});

export const LOGIN = { code: 'theCode_0', verifier: 'theVerifier_0theVerifier_0theVerifier_0the0' };

/** The error that something ends with. It must not contain any of the secrets involved. */
export async function failureOf(work: Promise<unknown>) {
  const error = await errorOf(work);
  const shown = allOf(error);
  for (const secret of [REFRESH_TOKEN, NEW_TOKEN, LOGIN.code, LOGIN.verifier, SECRET, 'eyJhbGci', 'Basic '])
    if (shown.includes(secret)) throw new Error(`the error ${error.code} contains a secret`);
  return error;
}
