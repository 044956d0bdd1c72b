import { createHash } from 'node:crypto';
import { AppError, describeError } from '../../lib/errors.ts';
import { lockLogin } from '../../store/owners/access.ts';
import {
  addLogin,
  claimLogin,
  recordLoginResult,
  readLogin,
  releaseLogin,
} from '../../store/owners/pending-logins.ts';
import { lockFormerToken, setCharacterNote, saveGrant } from '../../store/owners/tokens.ts';
import { classifyCallback } from '../../sso/sso-errors.ts';
import type { Grant } from '../../sso/sso-client.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { assignDefaults, type Defaults } from './default-assignments.ts';
import { noApplication, tokenContext } from './access-token.ts';
import { assignmentsBlockedByScopes } from './blocked-assignments.ts';
import { chooseCollectors, neededScopes } from './login-rights.ts';

/** How long a person has for the login: EVE's pages take a minute or two, a forgotten password more. */
const LOGIN_LIVES = 10 * 60_000;

/** What came of a login is told for a day, so that whoever returns late hears that it is over and why. */
const LOGIN_KEPT = 86_400_000;

/** Where to send a person. The state in the address is a secret of whoever began the login. */
export interface LoginBegun {
  readonly url: string;
  readonly state: string;
  readonly expiresAt: Date;
}

/** What a login brought; the message is for people. */
export interface LoginReport {
  readonly characterId: number;
  readonly name: string;
  readonly granted: readonly string[];
  /** Scopes that were asked for and not granted. */
  readonly missing: readonly string[];
  /** Assignments that were made: `wallet character/90000001`. */
  readonly enabled: readonly string[];
  /** The character was logged in before. */
  readonly renewed: boolean;
  readonly message: string;
}

/** How a login stands, for whoever waits for it. */
export interface LoginResult {
  readonly state: 'waiting' | 'done' | 'failed' | 'expired';
  readonly message: string;
  readonly characterId?: number;
}

/** What EVE sends a person back with. */
export interface Callback {
  readonly state?: string | undefined;
  readonly code?: string | undefined;
  readonly error?: string | undefined;
}

const hashOf = (state: string) => createHash('sha256').update(state).digest('hex');
const verifierContext = (stateHash: string) => `login/${stateHash}`;

const refuse = (code: string, message: string) => new AppError(message, { code, verdict: 'fail' });

/**
 * Begins a login that asks for what the collectors need (all, where none are named). Throws AppError NO_APPLICATION,
 * UNKNOWN_COLLECTOR, and what the login server's client throws.
 */
export async function beginLogin(
  engine: EngineContext,
  { collectors }: { readonly collectors?: readonly string[] | undefined } = {},
): Promise<LoginBegun> {
  const { cipher, sso } = engine;
  if (!sso) throw noApplication();
  const scopes = neededScopes(chooseCollectors(collectors));
  const { url, state, verifier } = await sso.startLogin(scopes);
  const now = engine.clock.now();
  const stateHash = hashOf(state);
  const draft = { stateHash, scopes, verifier: cipher.encrypt(verifier, verifierContext(stateHash)) };
  await addLogin(engine.db.pool, draft, new Date(now), new Date(now - LOGIN_KEPT));
  return { url, state, expiresAt: new Date(now + LOGIN_LIVES) };
}

/**
 * Finishes the login that a callback belongs to, once. Throws AppError LOGIN_UNKNOWN, LOGIN_EXPIRED, LOGIN_USED,
 * LOGIN_DENIED, and what the login server's client throws; then nothing has changed, and nothing was kept. After
 * LOGIN_BROKEN the login may be stored.
 */
export async function finishLogin(
  engine: EngineContext,
  callback: Callback,
  context: StepContext = {},
): Promise<LoginReport> {
  const { sso } = engine;
  if (!sso) throw noApplication();
  const { state, code, error } = callback;
  if (!state) throw unknownLogin();
  const stateHash = hashOf(state);
  const login = await claim(engine, stateHash);
  try {
    if (error !== undefined) throw classifyCallback(error);
    if (!code) throw refuse('LOGIN_DEAD', 'EVE sent no code along. Begin the login anew.');
    const verifier = engine.cipher.decrypt(login.verifier, verifierContext(stateHash));
    const grant = await sso.finishLogin({ code, verifier });
    const report = await keepGrant(engine, grant, login.scopes, context);
    await recordLoginResult(engine.db.pool, stateHash, report);
    return report;
  } catch (trouble) {
    const failure = trouble instanceof AppError ? trouble : broken(engine, trouble);
    await giveBack(engine, stateHash, failure);
    throw failure;
  }
}

/** A login whose process or database died over it may be stored and not noted: nobody is told that nothing was. */
const LOOK = '"eve-collector tokens list" shows who is logged in; begin it anew.';
const TOO_LATE = `Nobody came back from EVE within ten minutes. ${LOOK}`;

/** What is no error of ours is for the log, not for people. */
function broken({ log }: EngineContext, error: unknown): AppError {
  log.error({ error: describeError(error) }, 'a login could not be finished');
  return refuse(
    'LOGIN_BROKEN',
    `The login failed in this program, perhaps when it was stored already. ${LOOK}`,
  );
}

/** How a login stands. Whoever asks knows its state, as the one who began it does. */
export async function loginResult(
  engine: Pick<EngineContext, 'db' | 'clock'>,
  state: string,
): Promise<LoginResult> {
  const login = await readLogin(engine.db.pool, hashOf(state));
  if (!login) return { state: 'failed', message: unknownLogin().message };
  const { message, characterId, createdAt } = login;
  if (message !== null)
    return characterId === null ? { state: 'failed', message } : { state: 'done', message, characterId };
  if (createdAt.getTime() + LOGIN_LIVES < engine.clock.now()) return { state: 'expired', message: TOO_LATE };
  return { state: 'waiting', message: 'Waiting for the login on the page of EVE.' };
}

const unknownLogin = () =>
  refuse(
    'LOGIN_UNKNOWN',
    'This login was not begun here, or its address was changed on the way. Nothing was stored. Begin it anew.',
  );
const expiredLogin = () =>
  refuse('LOGIN_EXPIRED', 'The login took more than ten minutes. Nothing was stored. Begin it anew.');

async function claim(engine: EngineContext, stateHash: string) {
  const now = engine.clock.now();
  const oldest = new Date(now - LOGIN_LIVES);
  const login = await claimLogin(engine.db.pool, stateHash, new Date(now), oldest);
  if (login) return login;
  const found = await readLogin(engine.db.pool, stateHash);
  if (!found) throw unknownLogin();
  if (found.finishedAt === null) throw expiredLogin();
  throw refuse(
    'LOGIN_USED',
    'This login was finished before: its address works once. Begin a new one to add another character.',
  );
}

/** While the login server is away a code stays good for some minutes: the same callback may come again. */
async function giveBack(engine: EngineContext, stateHash: string, failure: AppError): Promise<void> {
  if (failure.verdict !== 'fail') await releaseLogin(engine.db.pool, stateHash);
  else await recordLoginResult(engine.db.pool, stateHash, { message: describeError(failure) });
}

async function keepGrant(
  engine: EngineContext,
  grant: Grant,
  asked: readonly string[],
  context: StepContext,
): Promise<LoginReport> {
  const { characterId, name, ownerHash, scopes } = grant.identity;
  const { cipher } = engine;
  const now = new Date(engine.clock.now());
  const sealed = {
    ...{ characterId, name, ownerHash, scopes, expiresAt: grant.expiresAt },
    accessToken: cipher.encrypt(grant.accessToken, tokenContext(characterId, 'access_token')),
    refreshToken: cipher.encrypt(grant.refreshToken, tokenContext(characterId, 'refresh_token')),
  };
  const former = await engine.db.transaction(async (client) => {
    await lockLogin(client, characterId); // a refresh under way would write what this login replaces
    const found = await lockFormerToken(client, characterId);
    await saveGrant(client, sealed, now);
    await setCharacterNote(client, characterId, null, now);
    return found;
  });
  engine.log.info({ characterId }, `${name} is logged in`);
  const defaults = await assignDefaults(engine, { characterId, name, scopes }, context);
  const missing = asked.filter((scope) => !scopes.includes(scope));
  const isOther =
    former?.ownerHash !== undefined && former.ownerHash !== null && former.ownerHash !== ownerHash;
  const resting = await assignmentsBlockedByScopes(engine, characterId);
  const found = { name, missing, renewed: former !== undefined, isOther, resting, ...defaults };
  const { enabled } = defaults;
  return {
    characterId,
    name,
    granted: scopes,
    missing,
    enabled,
    renewed: found.renewed,
    message: tell(found),
  };
}

interface Findings extends Defaults {
  readonly name: string;
  readonly missing: readonly string[];
  readonly renewed: boolean;
  /** The character has another owner than at its last login. */
  readonly isOther: boolean;
  /** What is assigned and rests for lack of scopes: this login replaces the scopes of the last one. */
  readonly resting: readonly string[];
}

function tell({ name, missing, renewed, isOther, enabled, resting, notes }: Findings): string {
  const sentences = [renewed ? `${name} is logged in again.` : `${name} is logged in.`];
  if (isOther)
    sentences.push(
      'The character has another owner than at its last login; what was collected before stays.',
    );
  if (enabled.length > 0) sentences.push(`Collected from now on: ${enabled.join(', ')}.`);
  else if (resting.length > 0) sentences.push('Nothing was added.');
  else if (renewed) sentences.push('What was collected for it goes on; nothing was added.');
  else sentences.push('Nothing is collected for it yet.');
  if (resting.length > 0)
    sentences.push(
      `Rests now, for lack of scopes: ${resting.join(', ')}. Log in again with all scopes to bring it back ("eve-collector tokens add" without --collectors).`,
    );
  if (missing.length > 0)
    sentences.push(`Not granted, and not used: ${missing.join(', ')}. Log in again to grant more.`);
  return [...sentences, ...notes].join(' ');
}
