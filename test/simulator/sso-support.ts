import { createHash } from 'node:crypto';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { DEFAULT_CLIENT, type Simulator } from '../../simulator/index.ts';
import { ANNA } from './support.ts';

export const BACK = 'http://localhost:8080/callback';
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

/** Where an application sends the browser. */
export function authorizeUrl({ ssoUrl }: Simulator, more: Record<string, string> = {}): string {
  const query = { response_type: 'code', client_id: DEFAULT_CLIENT.id, redirect_uri: BACK, state: 's&t' };
  const all = new URLSearchParams({ ...query, scope: `${WALLET} ${ASSETS}`, ...more });
  return `${ssoUrl}/v2/oauth/authorize?${all.toString()}`;
}

/** Picks a character in the browser and gives what the application is sent. */
export async function pick(simulator: Simulator, more: Record<string, string> = {}, choice = {}) {
  const url = simulator.sso.loginUrl(authorizeUrl(simulator, more), ANNA, choice);
  const response = await fetch(url, { redirect: 'manual' });
  return new URL(response.headers.get('location') ?? '').searchParams;
}

/** Asks for tokens. */
export async function token(simulator: Simulator, form: Record<string, string>, authorization = BASIC) {
  const response = await fetch(`${simulator.ssoUrl}/v2/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', authorization },
    body: new URLSearchParams(form).toString(),
  });
  return { status: response.status, json: (await response.json()) as Tokens };
}

/** Uses a refresh token. */
export const refresh = (simulator: Simulator, refresh_token: string, more: Record<string, string> = {}) =>
  token(simulator, { grant_type: 'refresh_token', refresh_token, ...more });

/** Picks a character, and turns the code into tokens. */
export async function redeem(simulator: Simulator, more: Record<string, string> = {}) {
  const code = (await pick(simulator)).get('code') ?? '';
  return { code, ...(await token(simulator, { grant_type: 'authorization_code', code, ...more })) };
}

/** What the JWKS lists. */
export async function keysOf({ ssoUrl }: Simulator): Promise<{ kid: string; alg: string }[]> {
  const answer = (await (await fetch(`${ssoUrl}/oauth/jwks`)).json()) as {
    keys: { kid: string; alg: string }[];
  };
  return answer.keys;
}

/** Checks a token as an application does. */
export const verify = (simulator: Simulator, jwt: string, now: number) =>
  jwtVerify(jwt, createRemoteJWKSet(new URL(`${simulator.ssoUrl}/oauth/jwks`)), {
    issuer: simulator.ssoUrl,
    audience: 'EVE Online',
    algorithms: ['RS256', 'ES256'],
    currentDate: new Date(now),
  });
