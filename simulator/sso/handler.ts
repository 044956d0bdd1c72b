import type { ServerResponse } from 'node:http';
import { isSsoPath, SSO_PREFIX, type Call } from '../call.ts';
import { breaking, type Breaking, type FaultBox } from '../faults.ts';
import type { Judge } from '../judge.ts';
import { sendFlood, sendHead, sendPart, sendStatus, sendText } from '../respond.ts';
import { authorize, page, type SsoAnswer } from './authorize.ts';
import type { SsoCounts, SsoService } from './service.ts';
import { giveTokens, json, revoke } from './tokens.ts';

/** What the SSO's routes work with. */
export interface SsoParts {
  sso: SsoService;
  box: FaultBox;
  judge: Judge;
  /** Refreshes under way, by character. */
  refreshing: Map<number, number>;
}

const AUTHORIZE = `${SSO_PREFIX}/v2/oauth/authorize`;
const TOKEN = `${SSO_PREFIX}/v2/oauth/token`;
const REVOKE = `${SSO_PREFIX}/v2/oauth/revoke`;
const JWKS = `${SSO_PREFIX}/oauth/jwks`;
const METADATA = `${SSO_PREFIX}/.well-known/oauth-authorization-server`;

function metadata({ url }: SsoService): SsoAnswer {
  return json(200, {
    issuer: url,
    authorization_endpoint: `${url}/v2/oauth/authorize`,
    token_endpoint: `${url}/v2/oauth/token`,
    response_types_supported: ['code', 'token'],
    jwks_uri: `${url}/oauth/jwks`,
    revocation_endpoint: `${url}/v2/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: ['S256'],
  });
}

type Answer = (sso: SsoService, call: Call) => SsoAnswer | Promise<SsoAnswer>;

const ANSWERS: Record<string, Answer> = {
  [`GET ${METADATA}`]: metadata,
  [`GET ${JWKS}`]: async (sso) => json(200, await sso.keys.jwks()),
  [`GET ${AUTHORIZE}`]: authorize,
  [`POST ${TOKEN}`]: giveTokens,
  [`POST ${REVOKE}`]: revoke,
};

const COUNTED: Record<string, keyof SsoCounts> = {
  [METADATA]: 'metadata',
  [JWKS]: 'jwks',
  [AUTHORIZE]: 'authorize',
  [REVOKE]: 'revoke',
};

function kindOf(call: Call): keyof SsoCounts {
  if (call.pathname !== TOKEN) return COUNTED[call.pathname] ?? 'other';
  const type = new URLSearchParams(call.body).get('grant_type');
  return type === 'authorization_code' || type === 'refresh_token' ? type : 'other';
}

/** Counts a request of the SSO as it comes in, and watches over refreshes until it is answered. */
export function watchSso(parts: SsoParts, call: Call, response: ServerResponse): void {
  if (!isSsoPath(call.pathname)) return;
  const { sso, judge, refreshing } = parts;
  const kind = kindOf(call);
  sso.counts[kind]++;
  if (kind !== 'refresh_token') return;
  const token = new URLSearchParams(call.body).get('refresh_token') ?? '';
  judge.useToken(call, token);
  const character = sso.grants.ownerOf(token)?.characterId;
  if (character === undefined) return;
  const others = refreshing.get(character) ?? 0;
  if (others > 0) judge.note(call, 'doubleRefresh', `another one of character ${character} is under way`);
  refreshing.set(character, others + 1);
  response.once('close', () => refreshing.set(character, (refreshing.get(character) ?? 1) - 1));
}

async function resolve({ sso, judge }: SsoParts, call: Call): Promise<SsoAnswer> {
  const answer = ANSWERS[`${call.method} ${call.pathname}`];
  if (!answer) return page(404, 'Not found', '');
  const given = await answer(sso, call);
  if (given.status === 400 && given.text.includes('"invalid_grant"')) {
    const token = new URLSearchParams(call.body).get('refresh_token');
    if (token !== null) judge.tellDead(token);
  }
  return given;
}

async function spoil(parts: SsoParts, call: Call, response: ServerResponse, fault: Breaking): Promise<void> {
  if (fault.kind === 'hang') return;
  if (fault.kind === 'reset') response.socket?.destroy();
  else if (fault.kind === 'status') sendStatus(response, fault, {});
  else if (fault.kind === 'body') sendText(response, 200, fault.text, { 'Content-Type': fault.contentType });
  else if (fault.kind === 'oversize') await sendFlood(response, fault.bytes, {});
  else {
    const { headers, text } = await resolve(parts, call); // what is done is done, although it does not arrive
    const whole = Buffer.from(text);
    if (fault.kind === 'truncate') sendPart(response, whole, headers);
    else await sendHead(response, whole.length, headers);
  }
}

/** Answers one call of the SSO. */
export async function handleSso(parts: SsoParts, call: Call, response: ServerResponse): Promise<void> {
  const fault = breaking(parts.box, call);
  if (fault) return spoil(parts, call, response, fault);
  const { status, headers, text } = await resolve(parts, call);
  if (parts.box.take(['loseAnswer'], call)) response.socket?.destroy();
  else sendText(response, status, text, headers);
}
