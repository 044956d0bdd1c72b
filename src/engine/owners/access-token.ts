import type { EsiAuth } from '../../esi/esi-request.ts';
import { MINUTE } from '../../lib/duration.ts';
import { AppError } from '../../lib/errors.ts';
import { hideToken } from '../../lib/redact.ts';
import type { Grant } from '../../sso/sso-client.ts';
import { withLoginLock } from '../../store/owners/login-lock.ts';
import {
  deactivateToken,
  type EncryptedGrant,
  readCharacterName,
  readToken,
  recordRejection,
  type StoredToken,
  updateGrant,
  updateRefreshToken,
} from '../../store/owners/tokens.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';

/** Milliseconds before its expiry at which a token is refreshed: longer than any request takes, its waits included. */
const REFRESH_MARGIN = 90_000;

export type TokenKind = 'access_token' | 'refresh_token';

/** The context that a character's token is encrypted with: copied to another row it cannot be decrypted. */
export const tokenContext = (characterId: number, kind: TokenKind): string =>
  `character/${characterId}/${kind}`;

/** A grant with its tokens encrypted, as it is stored. */
export function encryptGrant({ cipher }: Pick<EngineContext, 'cipher'>, grant: Grant): EncryptedGrant {
  const { characterId, name, ownerHash, scopes } = grant.identity;
  return {
    characterId,
    name,
    ownerHash,
    scopes,
    accessToken: cipher.encrypt(grant.accessToken, tokenContext(characterId, 'access_token')),
    refreshToken: cipher.encrypt(grant.refreshToken, tokenContext(characterId, 'refresh_token')),
    expiresAt: grant.expiresAt,
  };
}

/** A stored token in plaintext. One that was inserted by SQL may be plaintext already. */
export function decryptToken(
  { cipher }: Pick<EngineContext, 'cipher'>,
  characterId: number,
  kind: TokenKind,
  stored: string,
): string {
  const text = stored.trim();
  if (cipher.isEncrypted(text)) return cipher.decrypt(text, tokenContext(characterId, kind));
  hideToken(text);
  return text;
}

/** A usable access token. */
interface AccessToken {
  readonly text: string;
  /** Until when it may be used, in milliseconds. */
  readonly until: number;
}

/** The authorisation of a step's requests by a character. `user` names its rate limits. */
export function esiAuth(engine: EngineContext, characterId: number, step: StepContext): EsiAuth {
  const { sso } = engine;
  if (!sso) throw noApplication();
  let current: AccessToken | undefined;
  let refused: string | undefined;
  let loading: Promise<string> | undefined;
  const load = async () => {
    current = await getAccessToken(engine, characterId, step, refused);
    return current.text;
  };
  // The requests of a step start together, so one of them loads the token and the others wait for it.
  const loadOnce = () => (loading ??= load().finally(() => (loading = undefined)));
  return {
    user: `${sso.clientId}:${characterId}`,
    async token() {
      return current && current.until > engine.clock.now() ? current.text : loadOnce();
    },
    async renew() {
      // Requests that wait for their turn would be sent with the refused token as well.
      if (current) {
        refused = current.text;
        current = undefined;
      }
      await loadOnce();
    },
  };
}

/** A usable access token, refreshed if necessary. `refused`: one that ESI has refused, whatever its expiry. */
async function getAccessToken(
  engine: EngineContext,
  characterId: number,
  step: StepContext,
  refused: string | undefined,
): Promise<AccessToken> {
  const stored = await readToken(engine.db.pool, characterId);
  return usableToken(engine, characterId, stored, refused) ?? refresh(engine, characterId, step, refused);
}

/** The stored access token where it is usable. Throws AppError NO_LOGIN and LOGIN_INACTIVE. */
function usableToken(
  engine: EngineContext,
  characterId: number,
  stored: StoredToken | undefined,
  refused: string | undefined,
): AccessToken | undefined {
  if (!stored) throw noLogin(characterId);
  if (!stored.isActive) throw inactive(stored.reason ?? 'The login is disabled.');
  const until = (stored.expiresAt?.getTime() ?? 0) - REFRESH_MARGIN;
  if (!stored.accessToken || until <= engine.clock.now()) return undefined;
  const text = tryDecrypt(engine, characterId, stored.accessToken);
  return text === undefined || text === refused ? undefined : { text, until };
}

/** An access token that cannot be decrypted is as good as none: a refresh replaces it, or states what is wrong. */
function tryDecrypt(engine: EngineContext, characterId: number, encrypted: string): string | undefined {
  try {
    return decryptToken(engine, characterId, 'access_token', encrypted);
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

/** Refreshes a login although its access token may be usable, because only the SSO's answer states its scopes. */
export async function refreshNow(
  engine: EngineContext,
  characterId: number,
  step: StepContext,
): Promise<void> {
  const stored = await readToken(engine.db.pool, characterId);
  const current = stored?.accessToken ? tryDecrypt(engine, characterId, stored.accessToken) : undefined;
  await refresh(engine, characterId, step, current);
}

/**
 * Refreshes a login, once at a time per character: a second caller waits, and finds a fresh token. What the SSO
 * returned is committed before it is used, because the SSO may have voided the old refresh token with its answer.
 */
async function refresh(
  engine: EngineContext,
  characterId: number,
  step: StepContext,
  refused: string | undefined,
): Promise<AccessToken> {
  const { pool } = engine.db;
  const name = await readCharacterName(pool, characterId);
  return withLoginLock(engine.db, characterId, async () => {
    const stored = await readToken(pool, characterId);
    const usable = usableToken(engine, characterId, stored, refused);
    if (usable || !stored) return usable!;
    const lost = (reason: string, tried?: string) => loseLogin(engine, stored, name, reason, tried);
    if (!stored.refreshToken) throw await lost(`The refresh token is missing. Log ${name} in again.`);
    if (isRejectedSince(stored, engine.clock.now() - CONFIRM_AFTER)) throw doubtful(name);
    const grant = await requestRefresh(engine, stored, step).catch(async (error: unknown) => {
      const isLost = error instanceof AppError && LOST.has(error.code);
      if (isLost && error.code === 'LOGIN_DEAD' && !(await isConfirmed(engine, stored))) throw doubtful(name);
      throw isLost ? await lost(error.message, stored.refreshToken ?? undefined) : error;
    });
    const mismatch = identityMismatch(grant, stored, name);
    if (mismatch !== undefined) throw await lost(mismatch);
    await updateGrant(pool, stored.id, encryptGrant(engine, grant), new Date(engine.clock.now()));
    return { text: grant.accessToken, until: grant.expiresAt.getTime() - REFRESH_MARGIN };
  });
}

/** Milliseconds between two rejections that confirm each other: EVE's troubles with valid logins last minutes. */
const CONFIRM_AFTER = 15 * MINUTE;

const isRejectedSince = ({ rejectedAt }: StoredToken, since: number): boolean =>
  rejectedAt !== null && rejectedAt.getTime() > since;

/**
 * Whether EVE's rejection of a refresh token is the second one, a quarter of an hour after the first, which is recorded.
 * While ESI or the SSO fails a rejection says nothing: EVE has rejected valid logins then.
 */
async function isConfirmed(engine: EngineContext, stored: StoredToken): Promise<boolean> {
  if (engine.esi.isFailing() || engine.sso!.isFailing()) return false;
  if (stored.rejectedAt !== null) return true;
  await recordRejection(engine.db.pool, stored, new Date(engine.clock.now()));
  return false;
}

/** Errors after which a login is lost: a retry cannot help, and another login can. */
const LOST = new Set(['LOGIN_DEAD', 'SSO_BAD_SCOPE', 'TOKEN_TAMPERED']);

/** Disables a login that is lost, and returns the error to throw. */
async function loseLogin(
  engine: EngineContext,
  { id, characterId }: StoredToken,
  name: string,
  reason: string,
  tried: string | undefined,
): Promise<AppError> {
  const now = new Date(engine.clock.now());
  // A process that lost the lock with its connection may have tried a refresh token that another one has replaced.
  if (!(await deactivateToken(engine.db.pool, { id, tried }, reason, now))) return overtaken(name);
  engine.log.warn({ characterId }, `the login of ${name} is disabled: ${reason}`);
  return inactive(reason);
}

async function requestRefresh(
  engine: EngineContext,
  { id, characterId, refreshToken }: StoredToken,
  step: StepContext,
): Promise<Grant> {
  const { cipher, db, sso } = engine;
  const plaintext = decryptToken(engine, characterId, 'refresh_token', refreshToken!);
  const { rotatedToken, verify } = await sso!.refresh(plaintext, step.signal);
  if (rotatedToken !== undefined) {
    const encrypted = cipher.encrypt(rotatedToken, tokenContext(characterId, 'refresh_token'));
    await updateRefreshToken(db.pool, id, encrypted);
  }
  return verify();
}

/** Why a grant does not belong to the login that was refreshed; undefined when it does. */
function identityMismatch({ identity }: Grant, stored: StoredToken, name: string): string | undefined {
  if (identity.characterId !== stored.characterId)
    return `The token stored for ${name} belongs to ${identity.name}. Log both in again.`;
  if (stored.ownerHash !== null && stored.ownerHash !== identity.ownerHash)
    return `${name} was transferred to another account. If it is yours, log it in again.`;
  return undefined;
}

const noLogin = (characterId: number) =>
  new AppError(`Character ${characterId} is not logged in. Use "eve-collector tokens add".`, {
    code: 'NO_LOGIN',
    verdict: 'skip-target',
  });

const inactive = (reason: string) => new AppError(reason, { code: 'LOGIN_INACTIVE', verdict: 'skip-target' });

const doubtful = (name: string) =>
  new AppError(
    `EVE rejected the login of ${name}. It is tried again after 15 minutes, because EVE sometimes rejects valid logins.`,
    { code: 'LOGIN_DOUBTFUL', verdict: 'skip-target' },
  );

const overtaken = (name: string) =>
  new AppError(`The login of ${name} was renewed or disabled meanwhile.`, {
    code: 'LOGIN_OVERTAKEN',
    verdict: 'retry',
  });

export const noApplication = (): AppError =>
  new AppError(
    'No SSO application is configured. Register one at developers.eveonline.com and set ESI_CLIENT_ID and ESI_CLIENT_SECRET.',
    { code: 'NO_APPLICATION', verdict: 'skip-target' },
  );
