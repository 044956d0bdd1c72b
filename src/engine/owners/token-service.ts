import { AppError, describeError } from '../../lib/errors.ts';
import { lockVerifiers, writeVerifier } from '../../store/owners/pending-logins.ts';
import { withLoginLock, SWITCHED_OFF } from '../../store/owners/access.ts';
import {
  clearReasons,
  lockSecrets,
  readDoubtful,
  readSecrets,
  readSecretsAfter,
  readTokens,
  removeToken,
  setTokenActive,
  splitScopes,
  type TokenSecrets,
  writeSecrets,
} from '../../store/owners/tokens.ts';
import type { Cipher } from '../../secrets/cipher.ts';
import type { EngineContext } from '../engine-context.ts';
import { tokenContext } from './access-token.ts';
import { FAULT_TEXTS, faultOf, isClear, isCurrent, isFault, sealed } from './token-encryption.ts';

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

const DELETED = 'The login of this character was deleted: log it in again ("eve-collector tokens add").';

const unknownToken = (id: number) =>
  new AppError(
    `There is no login with the number ${id}. "eve-collector tokens list" shows those there are.`,
    {
      code: 'UNKNOWN_TOKEN',
      verdict: 'fail',
    },
  );

/** All logins, by name. */
export async function listTokens(engine: Pick<EngineContext, 'db'>): Promise<TokenView[]> {
  const rows = await readTokens(engine.db.pool);
  return rows.map((row) => ({
    ...row,
    scopes: row.scopes.split(/[,\s]+/).filter(Boolean),
    reason: row.isActive ? null : (row.reason ?? SWITCHED_OFF),
    expiresAt: row.expiresAt?.toISOString() ?? null,
    lastRefreshedAt: row.lastRefreshedAt?.toISOString() ?? null,
  }));
}

/**
 * Ends a login: at EVE, when it can be reached, and here in any case. What is assigned to the character stays, and
 * rests. Throws AppError UNKNOWN_TOKEN.
 */
export async function deleteToken(engine: EngineContext, id: number): Promise<{ revoked: boolean }> {
  const read = async () => {
    const token = await readSecrets(engine.db.pool, id);
    if (!token) throw unknownToken(id);
    return token;
  };
  const { characterId } = await read();
  // Not beside a refresh, which would bring a refresh token that nobody ends any more.
  return withLoginLock(engine.db, characterId, async () => {
    const revoked = await revoke(engine, await read());
    if (!(await removeToken(engine.db.pool, id, DELETED, new Date(engine.clock.now()))))
      throw unknownToken(id);
    engine.log.info({ characterId, revoked }, 'a login was deleted');
    return { revoked };
  });
}

async function revoke(engine: EngineContext, { characterId, refreshToken }: TokenSecrets): Promise<boolean> {
  const { cipher, sso } = engine;
  if (!sso || !refreshToken) return false;
  try {
    const context = tokenContext(characterId, 'refresh_token');
    await sso.revoke(cipher.isEncrypted(refreshToken) ? cipher.decrypt(refreshToken, context) : refreshToken);
    return true;
  } catch (error) {
    engine.log.warn(
      { characterId, error: describeError(error) },
      'a deleted login could not be revoked at EVE',
    );
    return false;
  }
}

/**
 * Switches a login on or off. Throws AppError UNKNOWN_TOKEN, and TOKEN_UNUSABLE for one that cannot be used as it is
 * stored.
 */
export async function enableToken(engine: EngineContext, id: number, enabled: boolean): Promise<void> {
  const token = await readSecrets(engine.db.pool, id);
  if (!token) throw unknownToken(id);
  const fault = enabled ? faultOf(engine.cipher, token) : undefined;
  if (fault !== undefined) throw new AppError(fault, { code: 'TOKEN_UNUSABLE', verdict: 'fail' });
  const now = new Date(engine.clock.now());
  await engine.db.transaction((client) => setTokenActive(client, id, enabled ? null : SWITCHED_OFF, now));
}

/** Logins read at once: some megabytes. */
const BATCH = 500;

/**
 * Looks after what people do to `esi_tokens` by SQL, once a minute: tokens in the clear are sealed in place, what cannot
 * be opened is switched off with a reason (and on again when it can), scopes are split. To open all of 10,000 logins takes
 * a second: of those that look sealed it opens some each minute, and all within the hour. Rows that are in use are left
 * for the next time. What a row does not say (name, owner, scopes) is learnt by its first refresh.
 */
export async function encryptTokens(
  engine: EngineContext,
): Promise<{ encrypted: number; unreadable: number }> {
  const { cipher } = engine;
  const count = { encrypted: 0, unreadable: 0 };
  const now = engine.clock.now();
  await splitScopes(engine.db.pool, new Date(now));
  await clearReasons(engine.db.pool);
  const turn = Math.floor(now / 60_000);
  for (let id = 0; ;) {
    const batch = await readDoubtful(engine.db.pool, { id, limit: BATCH, faults: FAULT_TEXTS, turn });
    if (batch.length === 0) return count;
    id = batch.at(-1)!.id;
    for (const token of batch) {
      const needed = isClear(cipher, token) || token.isActive !== (faultOf(cipher, token) === undefined);
      if (!needed || isOtherwiseOff(token, cipher)) continue;
      const done = await tend(engine, token.id);
      if (done !== undefined) count[done]++;
    }
  }
}

/** Switched off by hand or by EVE, and sealed: nothing to do. */
const isOtherwiseOff = (token: TokenSecrets, cipher: Cipher) =>
  !token.isActive && !isClear(cipher, token) && !isFault(token.reason);

async function tend(engine: EngineContext, id: number): Promise<'encrypted' | 'unreadable' | undefined> {
  const { cipher } = engine;
  const now = new Date(engine.clock.now());
  return engine.db.transaction(async (client) => {
    const token = await lockSecrets(client, id, { skip: true });
    if (!token) return undefined;
    const fault = faultOf(cipher, token);
    const clear = isClear(cipher, token);
    if (clear)
      await writeSecrets(
        client,
        sealed(cipher, token, () => false),
        now,
      );
    if (fault !== undefined) {
      if (!token.isActive) return clear ? 'encrypted' : undefined;
      await setTokenActive(client, id, fault, now);
      engine.log.warn({ characterId: token.characterId }, `a login cannot be used: ${fault}`);
      return 'unreadable';
    }
    if (!token.isActive && isFault(token.reason)) await setTokenActive(client, id, null, now);
    return clear ? 'encrypted' : undefined;
  });
}

/**
 * Seals with the first key whatever an older one has sealed, logins under way included: afterwards the older keys can
 * go. `unreadable`: logins that no key of ours opens; they stay as they are.
 */
export async function rekeyTokens(engine: EngineContext): Promise<{ rekeyed: number; unreadable: number }> {
  const { cipher } = engine;
  const count = { rekeyed: 0, unreadable: 0 };
  for (let last = 0; ;) {
    const batch = await readSecretsAfter(engine.db.pool, last, BATCH);
    if (batch.length === 0) break;
    last = batch.at(-1)!.id;
    for (const { id } of batch) {
      const done = await rekey(engine, id);
      if (done !== undefined) count[done]++;
    }
  }
  await engine.db.transaction(async (client) => {
    for (const { stateHash, verifier } of await lockVerifiers(client)) {
      const context = `login/${stateHash}`;
      if (cipher.isCurrent(verifier)) continue;
      try {
        await writeVerifier(client, stateHash, cipher.encrypt(cipher.decrypt(verifier, context), context));
      } catch (error) {
        if (!(error instanceof AppError)) throw error; // that login cannot be finished anyway
      }
    }
  });
  return count;
}

async function rekey(engine: EngineContext, id: number): Promise<'rekeyed' | 'unreadable' | undefined> {
  const { cipher } = engine;
  return engine.db.transaction(async (client) => {
    const token = await lockSecrets(client, id, { skip: false });
    if (!token) return undefined;
    if (isCurrent(cipher, token)) return undefined;
    if (faultOf(cipher, token) !== undefined) return 'unreadable';
    await writeSecrets(
      client,
      sealed(cipher, token, (text) => !cipher.isCurrent(text)),
      new Date(engine.clock.now()),
    );
    return 'rekeyed';
  });
}
