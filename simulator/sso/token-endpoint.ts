import { createHash } from 'node:crypto';
import type { Call } from '../esi-call.ts';
import type { SsoAnswer } from './authorize-endpoint.ts';
import type { Grant } from './grants.ts';
import type { SsoClient } from './sso-options.ts';
import { TOKEN_SECONDS, type Code, type SsoService } from './sso-service.ts';

/** EVE's headers: the answer must not be cached. */
const HEADERS = { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store,no-cache' };

/** An answer of the token endpoint. */
export function json(status: number, value: unknown): SsoAnswer {
  return { status, headers: HEADERS, text: JSON.stringify(value) };
}

function refusal(status: number, error: string, error_description: string): SsoAnswer {
  return json(status, { error, error_description });
}

const invalidGrant = (text: string): SsoAnswer => refusal(400, 'invalid_grant', text);

/** Reads `Basic id:secret`. Some callers encode both first, which leaves letters and digits as they are. */
function basicOf(call: Call): { id: string; secret: string } | undefined {
  const [, coded] = /^basic\s+(\S+)$/i.exec(call.header('authorization') ?? '') ?? [];
  if (coded === undefined) return undefined;
  const text = Buffer.from(coded, 'base64').toString();
  const colon = text.indexOf(':');
  const decoded = (value: string) => {
    try {
      return decodeURIComponent(value);
    } catch {
      return value; // the secret was not encoded
    }
  };
  return { id: decoded(text.slice(0, colon)), secret: decoded(text.slice(colon + 1)) };
}

/** The application, if it has authenticated. A public one is identified by its id alone. */
function clientOf(sso: SsoService, call: Call, form: URLSearchParams): SsoClient | undefined {
  const basic = basicOf(call);
  const client = sso.client(basic?.id ?? form.get('client_id') ?? '');
  const secret = basic?.secret ?? form.get('client_secret') ?? undefined;
  return client && (client.secret === undefined || client.secret === secret) ? client : undefined;
}

function hasProof(code: Code, form: URLSearchParams, client: SsoClient): boolean {
  if (code.challenge === undefined) return client.secret !== undefined; // without a secret PKCE is required
  const verifier = form.get('code_verifier') ?? '';
  return createHash('sha256').update(verifier).digest('base64url') === code.challenge.replaceAll('=', '');
}

async function answer(
  sso: SsoService,
  grant: Grant,
  scopes: string[],
  refresh: string | undefined,
): Promise<SsoAnswer> {
  const genuine = await sso.accessToken(grant, scopes);
  return json(200, {
    access_token: sso.queuedAccessTokens.shift() ?? genuine,
    expires_in: TOKEN_SECONDS,
    token_type: 'Bearer',
    ...(refresh === undefined ? {} : { refresh_token: refresh }),
  });
}

async function redeem(sso: SsoService, form: URLSearchParams, client: SsoClient): Promise<SsoAnswer> {
  const code = sso.codes.get(form.get('code') ?? '');
  if (!code || code.clientId !== client.id) return invalidGrant('Authorization code not found');
  if (code.used) {
    if (code.grant) sso.end(code.grant); // the code was intercepted, so its grant is not safe
    return invalidGrant('Authorization code was used before');
  }
  const uri = form.get('redirect_uri');
  if (uri !== null && uri !== code.redirectUri) return invalidGrant('The redirect_uri is another one');
  if (!hasProof(code, form, client)) return invalidGrant('The code_verifier does not fit');
  code.used = true;
  if (sso.now() >= code.expiresAt) return invalidGrant('Authorization code has expired');
  const { grant, token } = sso.open(code.characterId, client.id, code.scopes);
  code.grant = grant;
  if (code.scopes.length > 0) return answer(sso, grant, code.scopes, token);
  sso.grants.end(grant); // a grant without scopes has no refresh token
  return answer(sso, grant, [], undefined);
}

/** Uses a refresh token. The new token is valid before anybody knows whether the answer arrives. */
async function refresh(sso: SsoService, form: URLSearchParams, client: SsoClient): Promise<SsoAnswer> {
  const token = form.get('refresh_token') ?? '';
  const grant = sso.grants.grantOf(token);
  if (!grant || grant.clientId !== client.id || !sso.grants.isValid(grant, token))
    return invalidGrant('Invalid refresh token. Unable to migrate grant.');
  const wanted = form.get('scope')?.split(' ').filter(Boolean) ?? [];
  if (!wanted.every((scope) => grant.scopes.includes(scope)))
    return refusal(400, 'invalid_scope', 'A scope was not granted');
  const next = sso.grants.use(grant, token);
  return answer(sso, grant, wanted.length > 0 ? wanted : grant.scopes, next);
}

const FORM = /^application\/x-www-form-urlencoded\b/i;

/** `POST /v2/oauth/token` */
export async function issueTokens(sso: SsoService, call: Call): Promise<SsoAnswer> {
  if (!FORM.test(call.header('content-type') ?? ''))
    return refusal(415, 'invalid_request', 'The body has to be a form');
  const form = new URLSearchParams(call.body);
  const client = clientOf(sso, call, form);
  if (!client) return refusal(401, 'invalid_client', 'Unknown client, or a wrong secret');
  const type = form.get('grant_type') ?? '';
  if (type === 'authorization_code') return redeem(sso, form, client);
  if (type === 'refresh_token') return refresh(sso, form, client);
  return refusal(400, 'unsupported_grant_type', `No such grant_type: ${type}`);
}

/** `POST /v2/oauth/revoke`. The answer is 200 for any token. */
export function revoke(sso: SsoService, call: Call): SsoAnswer {
  const form = new URLSearchParams(call.body);
  const client = clientOf(sso, call, form);
  const grant = sso.grants.grantOf(form.get('token') ?? '');
  if (client && grant?.clientId === client.id) sso.end(grant);
  return json(200, {});
}
