import { table } from './table.ts';
import {
  assignmentOf,
  type AssignmentView,
  createAssignment,
  deleteAssignment,
  listAssignments,
  updateAssignment,
} from '../engine/owners/assignment-service.ts';
import { startLogin, loginResult } from '../engine/owners/login-flow.ts';
import {
  deleteToken,
  enableToken,
  listTokens,
  rekeyTokens,
  type TokenView,
} from '../engine/owners/token-service.ts';
import { ago } from '../http/html-table.ts';
import { AppError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { openInBrowser } from './browser.ts';
import { type Printed, withApp, type Work } from './command.ts';
import type { Config } from '../app/settings.ts';
import { findRunning } from '../app/endpoints.ts';

/** Soon enough for a person, and nothing to the database. */
const LOOK_EVERY = 1_000;

const said = (text: string, json: unknown): Printed => ({ text, json, ok: true });

export const listTokensCommand: Work = (config, log) =>
  withApp(config, log, async (app) => {
    const tokens = await listTokens(app);
    const now = new Date();
    const rows = tokens.map((t) => [
      String(t.id),
      t.name,
      `character/${t.characterId}`,
      t.corporation ?? (t.corporationId === null ? '' : `corporation/${t.corporationId}`),
      t.isActive ? 'on' : 'off',
      ago(t.lastRefreshedAt, now),
      t.isActive ? `${t.scopes.length} scopes` : (t.reason ?? ''),
    ]);
    const text = table(['id', 'name', 'character', 'corporation', 'login', 'refreshed', ''], rows);
    return said(
      tokens.length === 0 ? 'Nobody is logged in. "eve-collector tokens add" begins.' : text,
      tokens,
    );
  });

export interface AddOptions {
  readonly collectors: readonly string[] | undefined;
  /** Opens the address in a browser, where somebody sits at a terminal. */
  readonly open: boolean;
}

/** Prints the address of a login, and waits until the callback of a running `up` has finished it. */
export function addTokenCommand(
  config: Config,
  log: Log,
  options: AddOptions,
  show: (text: string) => void,
): Promise<Printed> {
  return withApp(config, log, async (app) => {
    const { collectors } = options;
    const { url, state, expiresAt } = await startLogin(app, { collectors });
    show(`Log the character in at EVE within ten minutes:\n\n${url}\n`);
    if ((await findRunning(config)).http === undefined)
      show(
        `No "up" runs here: the login is finished by the one at ${new URL(config.ESI_CALLBACK_URL).host}.`,
      );
    const browser = options.open ? await openInBrowser(url, config.DATA_DIR) : undefined;
    try {
      for (;;) {
        const result = await loginResult(app, state);
        if (result.state !== 'waiting')
          return { text: result.message, json: result, ok: result.state === 'done' };
        if (app.clock.now() > expiresAt.getTime()) throw tooLate();
        await app.clock.sleep(LOOK_EVERY);
      }
    } finally {
      await browser?.close();
    }
  });
}

const tooLate = () =>
  new AppError('Nobody logged in within ten minutes. Begin anew.', {
    code: 'LOGIN_EXPIRED',
    verdict: 'fail',
  });

export const removeTokenCommand =
  (id: number): Work =>
  (config, log) =>
    withApp(config, log, async (app) => {
      const { revoked } = await deleteToken(app, id);
      const text = revoked
        ? 'The login is deleted, here and at EVE. What is assigned to the character rests.'
        : 'The login is deleted here; EVE could not be told. Remove it at https://developers.eveonline.com/authorized-apps.';
      return said(text, { id, revoked });
    });

export const enableTokenCommand =
  (id: number, enabled: boolean): Work =>
  (config, log) =>
    withApp(config, log, async (app) => {
      await enableToken(app, id, enabled);
      return said(enabled ? 'The login is used again.' : 'The login is not used any more.', { id, enabled });
    });

export const rekeyCommand: Work = (config, log) =>
  withApp(config, log, async (app) => {
    const { rekeyed, unreadable } = await rekeyTokens(app);
    const bad =
      unreadable === 0
        ? ' Older keys can go.'
        : ` ${unreadable} could not be opened with any key of TOKEN_ENCRYPTION_KEY, and stay as they are.`;
    return {
      text: `${rekeyed} logins are sealed anew.${bad}`,
      json: { rekeyed, unreadable },
      ok: unreadable === 0,
    };
  });

function assignmentTable(assignments: readonly AssignmentView[]): string {
  const now = new Date();
  const rows = assignments.map((a) => [
    a.collector,
    a.target,
    a.owner,
    a.isEnabled ? 'on' : 'off',
    `${a.intervalMinutes} min`,
    ago(a.lastCollectedAt, now),
    a.note ?? '',
  ]);
  return table(['collector', 'target', 'name', 'state', 'every', 'collected', ''], rows);
}

export const listAssignmentsCommand: Work = (config, log) =>
  withApp(config, log, async (app) => {
    const assignments = await listAssignments(app);
    const text = assignments.length === 0 ? 'Nothing is assigned.' : assignmentTable(assignments);
    return said(text, assignments);
  });

const collectedFromNow = ({ collector, target, intervalMinutes }: AssignmentView) =>
  `${collector} of ${target} is collected every ${intervalMinutes} minutes, from now on.`;

export const assignCommand =
  (collector: string, target: string, every: number | undefined): Work =>
  (config, log) =>
    withApp(config, log, async (app) => {
      const made = await createAssignment(app, { collector, target, intervalMinutes: every });
      return said(collectedFromNow(made), made);
    });

export const unassignCommand =
  (collector: string, target: string): Work =>
  (config, log) =>
    withApp(config, log, async (app) => {
      const found = await assignmentOf(app, collector, target);
      await deleteAssignment(app, found.id);
      return said(
        `${found.collector} of ${found.target} is not collected any more; what there is stays.`,
        found,
      );
    });

/** `every`: minutes; undefined leaves the interval as it is. */
export const enableAssignmentCommand =
  (collector: string, target: string, isEnabled: boolean, every?: number): Work =>
  (config, log) =>
    withApp(config, log, async (app) => {
      const { id } = await assignmentOf(app, collector, target);
      const changed = await updateAssignment(app, id, { isEnabled, intervalMinutes: every });
      const off = `${changed.collector} of ${changed.target} is switched off.`;
      return said(isEnabled ? collectedFromNow(changed) : off, changed);
    });

/** More lines than this nobody reads; the lists have them all. */
const MOST_TROUBLE = 20;

/** Logins that are not well and assignments that rest or fall short, a line each, in plain words. */
export function ownersTrouble(
  tokens: readonly TokenView[],
  assignments: readonly AssignmentView[],
): readonly string[] {
  const off = tokens.filter((token) => !token.isActive);
  const noted = assignments.filter((assignment) => assignment.isEnabled && assignment.note !== null);
  const lines = [
    ...off.map((t) => `Login of ${t.name || `character/${t.characterId}`}: ${t.reason ?? 'switched off'}`),
    ...noted.map((a) => `${a.collector} of ${a.owner || a.target}: ${a.note ?? ''}`),
  ];
  const left = lines.length - MOST_TROUBLE;
  if (left <= 0) return lines;
  return [...lines.slice(0, MOST_TROUBLE), `… and ${left} more: see "tokens list" and "assign list".`];
}
