import type { Database } from '../database.ts';

/**
 * Milliseconds to wait for the table, because whoever needs a login waits behind. A backup holds the table for longer; the
 * next call tries again.
 */
const LOCK_TIMEOUT = 2_000;

/** PostgreSQL's code of a lock that was not to be had in time. */
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Databases whose table holds no old version with plaintext, as far as this process knows. At first it does not know: an
 * earlier process may have ended between encrypting and removing.
 */
const clean = new WeakSet<Database>();

/**
 * Removes old versions of rows of `esi_tokens` from the table's file: an update leaves the old version there, with the
 * plaintext that it replaced, until the space is reused. `encrypted`: whether plaintext was just replaced; without that
 * nothing is done when the last call succeeded.
 */
export async function removeOldTokens(db: Database, encrypted: boolean): Promise<void> {
  if (!encrypted && clean.has(db)) return;
  clean.delete(db);
  if (await rewriteTable(db)) clean.add(db);
}

/**
 * Writes the table to a new file. Returns whether all old versions are gone: those that a running transaction may still see
 * are copied. Where our role does not own the table, PostgreSQL skips it and warns, and a repetition would not help.
 */
async function rewriteTable({ pool }: Database): Promise<boolean> {
  const client = await pool.connect();
  let remaining = 0;
  // "12 dead row versions cannot be removed yet." The number stands first in every language.
  const readRemaining = ({ detail = '' }: { detail?: string | undefined }) =>
    (remaining = Number.parseInt(detail, 10) || 0);
  client.on('notice', readRemaining);
  try {
    await client.query(`SET lock_timeout = ${LOCK_TIMEOUT}`);
    await client.query('VACUUM (FULL, VERBOSE) esi_tokens');
    await client.query('RESET lock_timeout');
    return remaining === 0;
  } catch (error) {
    if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error;
    await client.query('RESET lock_timeout');
    return false;
  } finally {
    client.off('notice', readRemaining);
    client.release();
  }
}
