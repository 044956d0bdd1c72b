import type { ServerResponse } from 'node:http';
import { isSsoPath, SSO_PREFIX, type Call } from '../esi-call.ts';
import { takeAnswerFault } from '../faults.ts';
import { sendFaultAnswer, sendText } from '../send-answer.ts';
import type { SimulatorParts } from '../simulator-parts.ts';
import { authorize, page, type SsoAnswer } from './authorize-endpoint.ts';
import type { SsoCounts, SsoService } from './sso-service.ts';
import { issueTokens, json, revoke } from './token-endpoint.ts';

/** The parts of the simulator that the SSO needs. */
type SsoParts = Pick<SimulatorParts, 'sso' | 'activeFaults' | 'offences' | 'refreshesInProgress'>;

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
  [`POST ${TOKEN}`]: issueTokens,
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

/** Counts a request of the SSO, and records a second refresh of a character while another one is in progress. */
export function trackSsoRequest(parts: SsoParts, call: Call, response: ServerResponse): void {
  if (!isSsoPath(call.pathname)) return;
  const { sso, offences, refreshesInProgress } = parts;
  const kind = kindOf(call);
  sso.counts[kind]++;
  if (kind !== 'refresh_token') return;
  const token = new URLSearchParams(call.body).get('refresh_token') ?? '';
  offences.recordTokenUse(call, token);
  const character = sso.grants.grantOf(token)?.characterId;
  if (character === undefined) return;
  const others = refreshesInProgress.get(character) ?? 0;
  if (others > 0)
    offences.recordOffence(call, 'double-refresh', `another one of character ${character} is in progress`);
  refreshesInProgress.set(character, others + 1);
  response.once('close', () =>
    refreshesInProgress.set(character, (refreshesInProgress.get(character) ?? 1) - 1),
  );
}

async function resolve({ sso, offences }: SsoParts, call: Call): Promise<SsoAnswer> {
  const answer = ANSWERS[`${call.method} ${call.pathname}`];
  if (!answer) return page(404, 'Not found', '');
  const given = await answer(sso, call);
  if (given.status === 400 && given.text.includes('"invalid_grant"')) {
    const token = new URLSearchParams(call.body).get('refresh_token');
    if (token !== null) offences.recordRefusedToken(token);
  }
  return given;
}

/** Answers one call of the SSO. */
export async function handleSso(parts: SsoParts, call: Call, response: ServerResponse): Promise<void> {
  const fault = takeAnswerFault(parts.activeFaults, call);
  if (fault) {
    // An interrupted answer has taken effect, although it does not arrive.
    await sendFaultAnswer(response, fault, {}, async () => {
      const { headers, text } = await resolve(parts, call);
      return { data: Buffer.from(text), headers };
    });
    return;
  }
  const { status, headers, text } = await resolve(parts, call);
  if (parts.activeFaults.take(['loseAnswer'], call)) response.socket?.destroy();
  else sendText(response, status, text, headers);
}
