import { html } from 'hono/html';
import type { AssignmentView } from '../engine/owners/assignment-service.ts';
import { causeOfAssignment, causeOfLogin } from '../engine/owners/causes.ts';
import type { TokenView } from '../engine/owners/token-service.ts';
import { formatAge } from '../lib/format.ts';
import { htmlTable } from './html-table.ts';
import type { LoginSettings } from './http-sources.ts';

/** Nobody reads a page with more; the CLI lists all. */
const MAX_OWNERS = 200;

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

/** Everyone with a login or an assignment: characters, then corporations. */
function ownersOf({ tokens, assignments }: OwnersData): Owner[] {
  const byTarget = new Map<string, AssignmentView[]>();
  for (const assignment of assignments) {
    const sameTarget = byTarget.get(assignment.target);
    if (sameTarget) sameTarget.push(assignment);
    else byTarget.set(assignment.target, [assignment]);
  }
  const logins = new Map(tokens.map((token) => [`character/${token.characterId}`, token]));
  return [...new Set([...logins.keys(), ...byTarget.keys()])].map((target) => {
    const assigned = byTarget.get(target) ?? [];
    const token = logins.get(target);
    return { target, token, assignments: assigned, name: token?.name || assigned[0]?.owner || target };
  });
}

/** The state of a login, and what to do about it. */
function loginCell({ target, token }: Owner) {
  if (target.startsWith('corporation/')) return html`<td>uses those of its members</td>`;
  if (!token) return html`<td class="failing">no login: add the character again</td>`;
  if (token.isActive) return html`<td class="ok">enabled</td>`;
  return html`<td class="failing">disabled: ${token.reason}</td>`;
}

function assignmentLine(assignment: AssignmentView, note: string | undefined, now: Date) {
  const { collector, isEnabled, lastCollectedAt } = assignment;
  const state = isEnabled ? (assignment.note === null ? 'ok' : 'blocked') : 'off';
  const age = isEnabled ? formatAge(lastCollectedAt, now) : 'disabled';
  return html`<div class="${state}">${collector}: ${age}${note === undefined ? '' : html` (${note})`}</div>`;
}

/** The assignments of an owner. A cause is told once: in the row of its login, or else in the first row that it blocks. */
function assignmentLines({ token, assignments }: Owner, { tokens, now }: OwnersData, told: Set<string>) {
  const here = new Set<string>();
  if (token?.isActive === false) {
    here.add(causeOfLogin(token));
    told.add(causeOfLogin(token));
  }
  return assignments.map((assignment) => {
    const cause = causeOfAssignment(assignment, tokens);
    if (cause === null || here.has(cause)) return assignmentLine(assignment, undefined, now);
    const note = told.has(cause) ? 'see above' : (assignment.note ?? undefined);
    here.add(cause);
    told.add(cause);
    return assignmentLine(assignment, note, now);
  });
}

function ownerRow(owner: Owner, data: OwnersData, told: Set<string>) {
  return html`<tr>
    <td>${owner.name}</td>
    <td>${owner.target}</td>
    ${loginCell(owner)}
    <td>${assignmentLines(owner, data, told)}</td>
  </tr>`;
}

/** The button to add a character, or how to set up an SSO application where there is none. */
function addCharacter({ isSet, callbackUrl }: LoginSettings) {
  if (isSet) return html`<form method="post" action="/login"><button>Add a character</button></form>`;
  return html`<p class="note">
    To collect wallets, assets, orders and jobs of characters and corporations, create an application at
    <a href="https://developers.eveonline.com">developers.eveonline.com</a> with the callback URL
    <code>${callbackUrl}</code> and all scopes that you want to use, set <code>ESI_CLIENT_ID</code> and
    <code>ESI_CLIENT_SECRET</code> to its client id and secret, and restart.
  </p>`;
}

/** The section about characters and corporations: their logins, what is collected, how fresh it is, and what to do. */
export function ownersSection(data: OwnersData) {
  const owners = ownersOf(data);
  const told = new Set<string>();
  const rows = owners.slice(0, MAX_OWNERS).map((owner) => ownerRow(owner, data, told));
  const left = owners.length - rows.length;
  return html`<h2>Characters and corporations</h2>
    ${owners.length === 0 ? '' : htmlTable(['name', '', 'login', 'collected'], rows)}
    ${left > 0 ? html`<p>And ${left} more: run "eve-collector assign list" to see all.</p>` : ''}
    ${addCharacter(data.login)}`;
}
