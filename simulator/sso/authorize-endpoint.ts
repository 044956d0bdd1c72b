import type { Call } from '../esi-call.ts';
import { mayRedirectTo, type SsoClient } from './sso-options.ts';
import type { SsoService } from './sso-service.ts';

/** An answer of the SSO. */
export interface SsoAnswer {
  status: number;
  headers: Record<string, string>;
  text: string;
}

/** As many as a person can read. The query `character` selects any other. */
const MAX_LISTED = 200;

const SCOPE = /^(?:publicData|esi-[a-z_]+\.[a-z_]+\.v\d+)$/;

const escaped = (text: string): string => text.replace(/[&<>"]/g, (letter) => `&#${letter.codePointAt(0)};`);

export function page(status: number, title: string, body: string): SsoAnswer {
  const text = `<!DOCTYPE html><html><head><meta charset="utf-8"><title>${title}</title></head><body><h1>${title}</h1>${body}</body></html>`;
  return { status, headers: { 'Content-Type': 'text/html; charset=utf-8' }, text };
}

/** Redirects the browser to the application. */
function back(redirectUri: string, state: string | null, answer: Record<string, string>): SsoAnswer {
  const url = new URL(redirectUri);
  for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value);
  if (state !== null) url.searchParams.set('state', state);
  return { status: 302, headers: { Location: url.href }, text: '' };
}

/** The list of characters. Each link is the address of this page with the character selected. */
function choice(sso: SsoService, call: Call, client: SsoClient, scopes: readonly string[]): SsoAnswer {
  const link = (name: string, extra: string) => `<a href="${escaped(`${call.path}&${extra}`)}">${name}</a>`;
  const people = sso.characters
    .list()
    .slice(0, MAX_LISTED)
    .map(({ id, name }) => `<li>${link(escaped(name), `character=${id}`)}</li>`);
  const wishes = scopes.map((scope) => `<li><code>${escaped(scope)}</code></li>`).join('');
  return page(
    200,
    'Simulated EVE login',
    `<p><b>${escaped(client.id)}</b> asks for:</p><ul>${wishes}</ul><p>Log in as</p><ul>${people.join('')}</ul><p>${link('Cancel', 'deny=1')}</p>`,
  );
}

/** `GET /v2/oauth/authorize`. The query holds what the person at the browser decides. */
export function authorize(sso: SsoService, call: Call): SsoAnswer {
  const { query } = call;
  const client = sso.client(query.get('client_id') ?? '');
  const redirectUri = query.get('redirect_uri') ?? '';
  if (!client) return page(400, 'Invalid client', '<p>Unknown client_id.</p>');
  if (!mayRedirectTo(client, redirectUri))
    return page(400, 'Invalid redirect', '<p>The redirect_uri is not one of the application.</p>');
  if (query.get('response_type') !== 'code')
    return page(400, 'Invalid request', '<p>response_type has to be code.</p>');
  const state = query.get('state');
  const challenge = query.get('code_challenge') ?? undefined;
  const scopes = [...new Set((query.get('scope') ?? '').split(' ').filter(Boolean))];
  if (!scopes.every((scope) => SCOPE.test(scope)))
    return back(redirectUri, state, { error: 'invalid_scope' });
  if (challenge !== undefined && query.get('code_challenge_method') !== 'S256')
    return back(redirectUri, state, { error: 'invalid_request' });
  if (query.get('deny') === '1') return back(redirectUri, state, { error: 'access_denied' });
  const picked = query.get('character');
  if (picked === null) return choice(sso, call, client, scopes);
  const characterId = Number(picked);
  if (sso.characters.nameOf(characterId) === undefined)
    return page(400, 'Invalid character', '<p>No such character.</p>');
  const granted = query.get('grant')?.split(' ');
  const code = sso.addCode({
    characterId,
    clientId: client.id,
    redirectUri,
    scopes: granted ? scopes.filter((scope) => granted.includes(scope)) : scopes,
    challenge,
  });
  return back(redirectUri, state, { code });
}
