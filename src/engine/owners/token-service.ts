import { AppError, describeError } from '../../lib/errors.ts';
import { lockVerifiers, writeVerifier } from '../../store/owners/pending-logins.ts';
import { withLoginLock } from '../../store/owners/login-lock.ts';
import { removeOldTokens } from '../../store/owners/old-token-versions.ts';
import {
  clearStaleReasons,
  deleteTokenRow,
  DISABLED_BY_HAND,
  lockToken,
  readTokenById,
  readTokenRows,
  readTokensAfter,
  readTokensToCheck,
  setTokenActive,
  splitScopes,
  type StoredToken,
  updateTokens,
} from '../../store/owners/tokens.ts';
import type { EngineContext } from '../engine-context.ts';
import { decryptToken } from './access-token.ts';
import {
  encryptPlaintext,
  encryptTokenTexts,
  FAULT_TEXTS,
  faultOf,
  hasPlaintext,
  isFault,
  usesFirstKey,
} from './token-encryption.ts';

/** A login as people may see it: no token, no code, no hash. */
export interface TokenView {
  readonly id: number;
  readonly characterId: number;
  readonly name: string;
  readonly corporationId: number | null;
  readonly corporation: string | null;
  readonly scopes: readonly string[];
  readonly isActive: boolean;
  /** Why it is not active, and what to do. */
  readonly reason: string | null;
  readonly expiresAt: string | null;
  readonly lastRefreshedAt: string | null;
}

const DELETED = 'The login of this character was deleted. Use "eve-collector tokens add" to log it in again.';

const unknownToken = (id: number) =>
  new AppError(`There is no login ${id}. "eve-collector tokens list" shows all logins.`, {
    code: 'UNKNOWN_TOKEN',
    verdict: 'fail',
  });

/** All logins, by name. */
export async function listTokens(engine: Pick<EngineContext, 'db'>): Promise<TokenView[]> {
  const rows = await readTokenRows(engine.db.pool);
  return rows.map((row) => ({
    ...row,
    scopes: row.scopes.split(/[,\s]+/).filter(Boolean),
    reason: row.isActive ? null : (row.reason ?? DISABLED_BY_HAND),
    expiresAt: row.expiresAt?.toISOString() ?? null,
    lastRefreshedAt: row.lastRefreshedAt?.toISOString() ?? null,
  }));
}

/** A login by its id. Throws AppError UNKNOWN_TOKEN. */
async function getToken({ db }: EngineContext, id: number): Promise<StoredToken> {
  const token = await readTokenById(db.pool, id);
  if (!token) throw unknownToken(id);
  return token;
}

/**
 * Deletes a login here, and revokes it at EVE where that can be reached. The assignments of the character stay, blocked.
 * Throws AppError UNKNOWN_TOKEN.
 */
export async function deleteToken(engine: EngineContext, id: number): Promise<{ revoked: boolean }> {
  const { characterId } = await getToken(engine, id);
  // Not beside a refresh, which would bring a refresh token that nobody revokes any more.
  return withLoginLock(engine.db, characterId, async () => {
    const revoked = await revoke(engine, await getToken(engine, id));
    const now = new Date(engine.clock.now());
    if (!(await deleteTokenRow(engine.db.pool, id, DELETED, now))) throw unknownToken(id);
    engine.log.info({ characterId, revoked }, 'a login was deleted');
    return { revoked };
  });
}

async function revoke(engine: EngineContext, { characterId, refreshToken }: StoredToken): Promise<boolean> {
  if (!engine.sso || !refreshToken) return false;
  try {
    await engine.sso.revoke(decryptToken(engine, characterId, 'refresh_token', refreshToken));
    return true;
  } catch (error) {
    const fields = { characterId, error: describeError(error) };
    engine.log.warn(fields, 'a deleted login could not be revoked at EVE');
    return false;
  }
}

/** Enables or disables a login. Throws AppError UNKNOWN_TOKEN, and TOKEN_UNUSABLE for one that is stored unusable. */
export async function enableToken(engine: EngineContext, id: number, enabled: boolean): Promise<void> {
  const token = await getToken(engine, id);
  const fault = enabled ? faultOf(engine.cipher, token) : undefined;
  if (fault !== undefined) throw new AppError(fault, { code: 'TOKEN_UNUSABLE', verdict: 'fail' });
  const now = new Date(engine.clock.now());
  await engine.db.transaction((client) => setTokenActive(client, id, enabled ? null : DISABLED_BY_HAND, now));
}

/** Logins read at once: some megabytes. */
const BATCH = 500;

/**
 * Applies what people do to `esi_tokens` by SQL, once a minute: plaintext is encrypted in place, a login that cannot be
 * decrypted is disabled with a reason (and enabled again when it can), scopes are split. Decrypting 10,000 logins takes a
 * second, so of the encrypted ones a sixtieth is checked each minute. Rows that are locked are left for the next minute.
 * What was plaintext leaves the table's file as well, at the latest when no running transaction can see it any more.
 * Name, owner and scopes of an inserted login come with its first refresh.
 */
export async function encryptTokens(
  engine: EngineContext,
): Promise<{ encrypted: number; unreadable: number }> {
  const { cipher, db } = engine;
  const count = { encrypted: 0, unreadable: 0 };
  let isReplaced = false;
  const now = engine.clock.now();
  await splitScopes(db.pool, new Date(now));
  await clearStaleReasons(db.pool);
  const turn = Math.floor(now / 60_000);
  for (let id = 0; ;) {
    const batch = await readTokensToCheck(db.pool, { id, limit: BATCH, faults: FAULT_TEXTS, turn });
    const last = batch.at(-1);
    if (!last) break;
    id = last.id;
    for (const token of batch) {
      const isPlaintext = hasPlaintext(cipher, token);
      const isWrong = token.isActive !== (faultOf(cipher, token) === undefined);
      // A login that was disabled by hand or by EVE, and is encrypted, is right as it is.
      const isDisabled = !token.isActive && !isPlaintext && !isFault(token.reason);
      if ((!isPlaintext && !isWrong) || isDisabled) continue;
      const done = await encryptToken(engine, token.id);
      isReplaced ||= isPlaintext && done !== undefined;
      if (done !== undefined) count[done]++;
    }
  }
  await removeOldTokens(db, isReplaced).catch((error: unknown) =>
    engine.log.warn({ error: describeError(error) }, 'could not remove old versions of tokens'),
  );
  return count;
}

async function encryptToken(
  engine: EngineContext,
  id: number,
): Promise<'encrypted' | 'unreadable' | undefined> {
  const { cipher } = engine;
  const now = new Date(engine.clock.now());
  return engine.db.transaction(async (client) => {
    const token = await lockToken(client, id, { skipLocked: true });
    if (!token) return undefined;
    const fault = faultOf(cipher, token);
    const isPlaintext = hasPlaintext(cipher, token);
    if (isPlaintext) await updateTokens(client, encryptPlaintext(cipher, token), now);
    if (fault !== undefined && token.isActive) {
      await setTokenActive(client, id, fault, now);
      engine.log.warn({ characterId: token.characterId }, `a login cannot be used: ${fault}`);
      return 'unreadable';
    }
    if (fault === undefined && !token.isActive && isFault(token.reason))
      await setTokenActive(client, id, null, now);
    return isPlaintext ? 'encrypted' : undefined;
  });
}

/**
 * Encrypts with the first key what an older one has encrypted, pending logins included: afterwards the older keys are not
 * needed any more. `unreadable`: logins that no key decrypts, which stay as they are.
 */
export async function rekeyTokens(engine: EngineContext): Promise<{ rekeyed: number; unreadable: number }> {
  const count = { rekeyed: 0, unreadable: 0 };
  for (let id = 0; ;) {
    const batch = await readTokensAfter(engine.db.pool, id, BATCH);
    const last = batch.at(-1);
    if (!last) break;
    id = last.id;
    for (const token of batch) {
      const done = await rekeyToken(engine, token.id);
      if (done !== undefined) count[done]++;
    }
  }
  await rekeyVerifiers(engine);
  return count;
}

async function rekeyToken(
  { cipher, db, clock }: EngineContext,
  id: number,
): Promise<'rekeyed' | 'unreadable' | undefined> {
  return db.transaction(async (client) => {
    const token = await lockToken(client, id, { skipLocked: false });
    if (!token || usesFirstKey(cipher, token)) return undefined;
    if (faultOf(cipher, token) !== undefined) return 'unreadable';
    await updateTokens(client, encryptTokenTexts(cipher, token), new Date(clock.now()));
    return 'rekeyed';
  });
}

async function rekeyVerifiers({ cipher, db }: EngineContext): Promise<void> {
  await db.transaction(async (client) => {
    for (const { stateHash, verifier } of await lockVerifiers(client)) {
      const context = `login/${stateHash}`;
      if (cipher.usesFirstKey(verifier)) continue;
      try {
        await writeVerifier(client, stateHash, cipher.encrypt(cipher.decrypt(verifier, context), context));
      } catch (error) {
        if (!(error instanceof AppError)) throw error; // a login whose verifier is unreadable cannot be finished anyway
      }
    }
  });
}
