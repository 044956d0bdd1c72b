import { findRunning } from '../../app/endpoints.ts';
import { startLogin, loginResult } from '../../engine/owners/login-flow.ts';
import { deleteToken, enableToken, listTokens, rekeyTokens } from '../../engine/owners/token-service.ts';
import { AppError } from '../../lib/errors.ts';
import { formatAge } from '../../lib/format.ts';
import { openInBrowser } from '../browser.ts';
import { type PrintingCommand, succeeded, withApp, withDatabase } from '../command.ts';
import { printError, printResult } from '../process-io.ts';
import { formatTable } from '../table.ts';

/** Soon enough for a person, and no load for the database (ms). */
const POLL_INTERVAL = 1_000;

/** Lists the logins. */
export const listTokensCommand: PrintingCommand = (config, log) =>
  withDatabase(config, log, async (context) => {
    const tokens = await listTokens(context);
    if (tokens.length === 0)
      return succeeded('No character is logged in. Run "eve-collector tokens add" to add one.', tokens);
    const now = new Date();
    const rows = tokens.map((token) => [
      String(token.id),
      token.name,
      `character/${token.characterId}`,
      token.corporation ?? (token.corporationId === null ? '' : `corporation/${token.corporationId}`),
      token.isActive ? 'enabled' : 'disabled',
      formatAge(token.lastRefreshedAt, now),
      token.isActive ? `${token.scopes.length} scopes` : (token.reason ?? ''),
    ]);
    const headings = ['id', 'name', 'character', 'corporation', 'login', 'refreshed', ''];
    return succeeded(formatTable(headings, rows), tokens);
  });

export interface AddTokenOptions {
  /** Requests only the scopes of these collectors. */
  readonly collectors?: readonly string[];
  /** Open the address in a browser, where a person is at a terminal. */
  readonly open: boolean;
  /** stdout is for the JSON value alone: the address goes to stderr. */
  readonly json?: boolean;
}

/** Prints the address of a login, and waits until the callback of a running `up` has completed it. */
export const addTokenCommand =
  (options: AddTokenOptions): PrintingCommand =>
  (config, log) =>
    withApp(config, log, async (app) => {
      const show = options.json === true ? printError : printResult;
      const { url, state, expiresAt } = await startLogin(app, { collectors: options.collectors });
      show(`Log the character in at EVE within ten minutes:\n\n${url}\n`);
      if ((await findRunning(config)).http === undefined)
        show(
          `No "up" is running here: the one at ${new URL(config.ESI_CALLBACK_URL).host} completes the login.`,
        );
      const browser = options.open ? await openInBrowser(url, config.DATA_DIR) : undefined;
      try {
        for (;;) {
          const result = await loginResult(app, state);
          if (result.state !== 'waiting')
            return { text: result.message, json: result, ok: result.state === 'done' };
          if (app.clock.now() > expiresAt.getTime())
            throw new AppError('The login was not completed within ten minutes. Please start again.', {
              code: 'LOGIN_EXPIRED',
              verdict: 'fail',
            });
          await app.clock.sleep(POLL_INTERVAL);
        }
      } finally {
        await browser?.close();
      }
    });

/** Deletes a login, here and at EVE. */
export const removeTokenCommand =
  (id: number): PrintingCommand =>
  (config, log) =>
    withApp(config, log, async (app) => {
      const { revoked } = await deleteToken(app, id);
      const text = revoked
        ? 'Login deleted, here and at EVE. Assignments of the character are blocked until it logs in again.'
        : 'Login deleted here, but EVE did not respond. Remove it at https://developers.eveonline.com/authorized-apps as well.';
      return succeeded(text, { id, revoked });
    });

/** Enables or disables a login. */
export const enableTokenCommand =
  (id: number, enabled: boolean): PrintingCommand =>
  (config, log) =>
    withApp(config, log, async (app) => {
      await enableToken(app, id, enabled);
      return succeeded(enabled ? 'Login enabled.' : 'Login disabled.', { id, enabled });
    });

/** Encrypts every token with the first key of TOKEN_ENCRYPTION_KEY. */
export const rekeyCommand: PrintingCommand = (config, log) =>
  withApp(config, log, async (app) => {
    const { rekeyed, unreadable } = await rekeyTokens(app);
    const rest =
      unreadable === 0
        ? 'Older keys are no longer needed.'
        : `${unreadable} could not be decrypted with any key of TOKEN_ENCRYPTION_KEY and were not changed.`;
    const text = `${rekeyed} logins re-encrypted. ${rest}`;
    return { text, json: { rekeyed, unreadable }, ok: unreadable === 0 };
  });
