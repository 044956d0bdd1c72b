import { html } from 'hono/html';
import type { AssignmentView } from '../engine/owners/assignment-service.ts';
import type { TokenView } from '../engine/owners/token-service.ts';
import { ago, table } from './html-table.ts';
import type { LoginSettings } from './http-sources.ts';

/** More would make a page that nobody reads; the CLI lists them all. */
const MOST_OWNERS = 200;

export interface OwnersData {
  readonly tokens: readonly TokenView[];
  readonly assignments: readonly AssignmentView[];
  readonly login: LoginSettings;
  readonly now: Date;
}

interface Owner {
  readonly target: string;
  readonly name: string;
  readonly token: TokenView | undefined;
  readonly assignments: readonly AssignmentView[];
}

/** Whoever has a login or an assignment: characters, then corporations. */
function ownersOf({ tokens, assignments }: OwnersData): Owner[] {
  const byTarget = new Map<string, AssignmentView[]>();
  for (const assignment of assignments) {
    const own = byTarget.get(assignment.target);
    if (own) own.push(assignment);
    else byTarget.set(assignment.target, [assignment]);
  }
  const logins = new Map(tokens.map((token) => [`character/${token.characterId}`, token]));
  return [...new Set([...logins.keys(), ...byTarget.keys()])].map((target) => {
    const own = byTarget.get(target) ?? [];
    const token = logins.get(target);
    return { target, token, assignments: own, name: token?.name || own[0]?.owner || target };
  });
}

/** How a login stands, and what to do. */
function loginCell({ target, token }: Owner) {
  if (target.startsWith('corporation/')) return html`<td>through its members</td>`;
  if (!token) return html`<td class="failing">no login: add the character again</td>`;
  if (token.isActive) return html`<td class="ok">in use</td>`;
  return html`<td class="failing">off: ${token.reason}</td>`;
}

function assignmentLine(assignment: AssignmentView, now: Date) {
  const { collector, isEnabled, lastCollectedAt, note } = assignment;
  const state = isEnabled ? (note === null ? 'ok' : 'rests') : 'off';
  const told = isEnabled ? ago(lastCollectedAt, now) : 'switched off';
  return html`<div class="${state}">
    ${collector}: ${told}${isEnabled && note !== null ? html` (${note})` : ''}
  </div>`;
}

function ownerRow(owner: Owner, now: Date) {
  return html`<tr>
    <td>${owner.name}</td>
    <td>${owner.target}</td>
    ${loginCell(owner)}
    <td>${owner.assignments.map((assignment) => assignmentLine(assignment, now))}</td>
  </tr>`;
}

/** The way to another character, or to an application where there is none yet. */
function door({ isSet, callbackUrl }: LoginSettings) {
  if (isSet) return html`<form method="post" action="/login"><button>Add a character</button></form>`;
  return html`<p class="note">
    To collect wallets, assets, orders and jobs of characters and corporations, make an application at
    <a href="https://developers.eveonline.com">developers.eveonline.com</a> with the callback URL
    <code>${callbackUrl}</code> and all scopes that you want to use, put its client id into
    <code>ESI_CLIENT_ID</code> and its secret into <code>ESI_CLIENT_SECRET</code>, and start again.
  </p>`;
}

/** Characters and corporations: their logins, what is collected for them, how fresh, and what to do. */
export function ownersPart(data: OwnersData) {
  const owners = ownersOf(data);
  const rows = owners.slice(0, MOST_OWNERS).map((owner) => ownerRow(owner, data.now));
  const left = owners.length - rows.length;
  return html`<h2>Characters and corporations</h2>
    ${owners.length === 0 ? '' : table(['name', '', 'login', 'collected'], rows)}
    ${left > 0 ? html`<p>And ${left} more: "eve-collector assign list" shows them all.</p>` : ''}
    ${door(data.login)}`;
}
