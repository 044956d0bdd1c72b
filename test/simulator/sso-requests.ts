import { createHash } from 'node:crypto';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { DEFAULT_CLIENT, type Simulator } from '../../simulator/index.ts';
import { ANNA } from './test-simulator.ts';

export const CALLBACK_URL = 'http://localhost:8080/callback';
export const WALLET = 'esi-wallet.read_character_wallet.v1';
export const ASSETS = 'esi-assets.read_assets.v1';
export const VERIFIER = 'a-verifier-of-no-less-than-forty-three-letters';
export const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');
export const BASIC = `Basic ${Buffer.from(`${DEFAULT_CLIENT.id}:${DEFAULT_CLIENT.secret}`).toString('base64')}`;

interface Tokens {
  access_token: string;
  refresh_token: string;
  expires_in: number;
  token_type: string;
  error?: string;
}

/** The address to which an application sends the browser. */
export function authorizeUrl({ ssoUrl }: Simulator, more: Record<string, string> = {}): string {
  const query = {
    response_type: 'code',
    client_id: DEFAULT_CLIENT.id,
    redirect_uri: CALLBACK_URL,
    state: 's&t',
  };
  const all = new URLSearchParams({ ...query, scope: `${WALLET} ${ASSETS}`, ...more });
  return `${ssoUrl}/v2/oauth/authorize?${all.toString()}`;
}

/** Selects Anna at the authorize page and returns the parameters of the redirect. */
export async function authorize(simulator: Simulator, more: Record<string, string> = {}, choice = {}) {
  const url = simulator.sso.loginUrl(authorizeUrl(simulator, more), ANNA, choice);
  const response = await fetch(url, { redirect: 'manual' });
  return new URL(response.headers.get('location') ?? '').searchParams;
}

/** Sends a request to the token endpoint. */
export async function requestToken(
  simulator: Simulator,
  form: Record<string, string>,
  authorization = BASIC,
) {
  const response = await fetch(`${simulator.ssoUrl}/v2/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', authorization },
    body: new URLSearchParams(form).toString(),
  });
  return { status: response.status, json: (await response.json()) as Tokens };
}

/** Uses a refresh token. */
export const refresh = (simulator: Simulator, refresh_token: string, more: Record<string, string> = {}) =>
  requestToken(simulator, { grant_type: 'refresh_token', refresh_token, ...more });

/** Authorizes Anna and redeems the code. */
export async function redeem(simulator: Simulator, more: Record<string, string> = {}) {
  const code = (await authorize(simulator)).get('code') ?? '';
  return { code, ...(await requestToken(simulator, { grant_type: 'authorization_code', code, ...more })) };
}

/** The keys that the JWKS lists. */
export async function readJwks({ ssoUrl }: Simulator): Promise<{ kid: string; alg: string }[]> {
  const answer = (await (await fetch(`${ssoUrl}/oauth/jwks`)).json()) as {
    keys: { kid: string; alg: string }[];
  };
  return answer.keys;
}

/** Verifies a token as an application does. */
export const verifyToken = (simulator: Simulator, jwt: string, now: number) =>
  jwtVerify(jwt, createRemoteJWKSet(new URL(`${simulator.ssoUrl}/oauth/jwks`)), {
    issuer: simulator.ssoUrl,
    audience: 'EVE Online',
    algorithms: ['RS256', 'ES256'],
    currentDate: new Date(now),
  });
