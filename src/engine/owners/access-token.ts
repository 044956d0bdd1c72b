import type { EsiAuth } from '../../esi/esi-request.ts';
import { AppError } from '../../lib/errors.ts';
import {
  deactivateToken,
  withLoginLock,
  readCharacterName,
  readToken,
  type StoredToken,
  writeRefreshToken,
  writeToken,
} from '../../store/owners/access.ts';
import type { Grant } from '../../sso/sso-client.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';

/** A token is refreshed this long before it expires: longer than any request takes, its waits included. */
const EARLY = 90_000;

/** What an access or refresh token of a character is sealed with: moved to another row it does not open. */
export const tokenContext = (characterId: number, kind: 'access_token' | 'refresh_token') =>
  `character/${characterId}/${kind}`;

/** Opens a stored token; one that was inserted by SQL may still be in the clear. */
function open(
  engine: EngineContext,
  characterId: number,
  kind: 'access_token' | 'refresh_token',
  text: string,
): string {
  const { cipher } = engine;
  const bare = text.trim();
  return cipher.isEncrypted(bare) ? cipher.decrypt(bare, tokenContext(characterId, kind)) : bare;
}

/** An access token, and until when (ms) it is good. */
interface Held {
  readonly text: string;
  readonly until: number;
}

const isFresh = (token: StoredToken, now: number) => (token.expiresAt?.getTime() ?? 0) - EARLY > now;

/** The access token of a character for the calls of one step. `user` names its buckets. */
export function tokenOf(engine: EngineContext, characterId: number, context: StepContext): EsiAuth {
  const { sso } = engine;
  if (!sso) throw noApplication();
  let held: Held | undefined;
  let refused: string | undefined;
  let reading: Promise<string> | undefined;
  const read = async () => {
    held = await getAccessToken(engine, characterId, context, refused);
    return held.text;
  };
  // The requests of a step begin together: one of them asks, the others wait for it.
  const join = () => (reading ??= read().finally(() => (reading = undefined)));
  return {
    user: `${sso.clientId}:${characterId}`,
    async token() {
      return held && held.until > engine.clock.now() ? held.text : join();
    },
    async renew() {
      // Requests that wait for their turn would go out with it, and be refused each.
      if (held) [refused, held] = [held.text, undefined];
      await join();
    },
  };
}

/** A token that holds for a while, refreshed when need be. `refused`: one that ESI did not take, whatever it says. */
async function getAccessToken(
  engine: EngineContext,
  characterId: number,
  context: StepContext,
  refused: string | undefined,
): Promise<Held> {
  const stored = await readToken(engine.db.pool, characterId);
  return use(engine, characterId, stored, refused) ?? refresh(engine, characterId, context, refused);
}

function use(
  engine: EngineContext,
  characterId: number,
  token: StoredToken | undefined,
  refused: string | undefined,
): Held | undefined {
  if (!token) throw noToken(characterId);
  if (!token.isActive) throw inactive(token.inactiveReason);
  if (!token.accessToken || !isFresh(token, engine.clock.now())) return undefined;
  const text = tryDecrypt(engine, characterId, token.accessToken);
  if (text === undefined || text === refused) return undefined;
  return { text, until: token.expiresAt!.getTime() - EARLY };
}

/** An access token that does not open is as good as none: a refresh replaces it, or says what is wrong with the row. */
function tryDecrypt(engine: EngineContext, characterId: number, sealed: string): string | undefined {
  try {
    return open(engine, characterId, 'access_token', sealed);
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

/** Refreshes a login though its access token may be good: only SSO's answer tells what it may. Throws as every use of it. */
export async function refreshNow(
  engine: EngineContext,
  characterId: number,
  context: StepContext,
): Promise<void> {
  const stored = await readToken(engine.db.pool, characterId);
  const held = stored?.accessToken && tryDecrypt(engine, characterId, stored.accessToken);
  await refresh(engine, characterId, context, held || undefined);
}

/**
 * One refresh at a time per character: whoever comes second waits, and finds a fresh token. What SSO gave is committed
 * before it is used, since SSO may have made the old refresh token void with its answer.
 */
async function refresh(
  engine: EngineContext,
  characterId: number,
  context: StepContext,
  refused: string | undefined,
): Promise<Held> {
  const name = await readCharacterName(engine.db, characterId);
  return withLoginLock(engine.db, characterId, async () => {
    const { pool } = engine.db;
    const token = await readToken(pool, characterId);
    const usable = use(engine, characterId, token, refused);
    if (usable || !token) return usable!;
    const lose = async (reason: string, tried?: string) => {
      const now = new Date(engine.clock.now());
      // Whoever lost the lock with its connection asks with a token that another may have replaced by now.
      if (!(await deactivateToken(pool, { id: token.id, tried }, reason, now))) return overtaken(name);
      engine.log.warn({ characterId }, `the login of ${name} is not used any more: ${reason}`);
      return inactive(reason);
    };
    if (!token.refreshToken) throw await lose(`There is no refresh token. Log ${name} in again.`);
    const grant = await ask(engine, characterId, token, context).catch(async (error: unknown) => {
      const lost = error instanceof AppError && LOST.has(error.code);
      throw lost ? await lose(error.message, token.refreshToken) : error;
    });
    const wrong = whoIsWrong(grant, characterId, token.ownerHash, name);
    if (wrong !== undefined) throw await lose(wrong);
    await writeToken(pool, token.id, seal(engine, characterId, grant), new Date(engine.clock.now()));
    return { text: grant.accessToken, until: grant.expiresAt.getTime() - EARLY };
  });
}

async function ask(
  engine: EngineContext,
  characterId: number,
  token: StoredToken,
  context: StepContext,
): Promise<Grant> {
  const { cipher, sso } = engine;
  const sealing = tokenContext(characterId, 'refresh_token');
  return sso!.refresh(
    open(engine, characterId, 'refresh_token', token.refreshToken!),
    context.signal,
    (rotated) => writeRefreshToken(engine.db.pool, token.id, cipher.encrypt(rotated, sealing)),
  );
}

/** Errors after which a login is lost: repeating them cannot help, and another login can. */
const LOST = new Set(['LOGIN_DEAD', 'SSO_BAD_SCOPE', 'TOKEN_TAMPERED']);

function whoIsWrong(
  { identity }: Grant,
  characterId: number,
  ownerHash: string | undefined,
  name: string,
): string | undefined {
  if (identity.characterId !== characterId)
    return `The token in the row of ${name} belongs to ${identity.name}. Log both in again.`;
  if (ownerHash !== undefined && ownerHash !== identity.ownerHash)
    return `${name} has another owner now. If that is you, log it in again.`;
  return undefined;
}

function seal(engine: EngineContext, characterId: number, grant: Grant) {
  const { cipher } = engine;
  const { name, ownerHash, scopes } = grant.identity;
  return {
    accessToken: cipher.encrypt(grant.accessToken, tokenContext(characterId, 'access_token')),
    refreshToken: cipher.encrypt(grant.refreshToken, tokenContext(characterId, 'refresh_token')),
    expiresAt: grant.expiresAt,
    ...{ name, ownerHash, scopes },
  };
}

const noToken = (characterId: number) =>
  new AppError(`Character ${characterId} has no login. Add it: "eve-collector tokens add".`, {
    code: 'NO_LOGIN',
    verdict: 'skip-target',
  });

const inactive = (reason: string) => new AppError(reason, { code: 'LOGIN_INACTIVE', verdict: 'skip-target' });

const overtaken = (name: string) =>
  new AppError(`The login of ${name} was renewed or switched off meanwhile.`, {
    code: 'LOGIN_OVERTAKEN',
    verdict: 'retry',
  });

export const noApplication = () =>
  new AppError(
    'No SSO application is set: register one at developers.eveonline.com and set ESI_CLIENT_ID and ESI_CLIENT_SECRET.',
    { code: 'NO_APPLICATION', verdict: 'skip-target' },
  );
