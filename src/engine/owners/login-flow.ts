import { createHash } from 'node:crypto';
import { AppError, describeError } from '../../lib/errors.ts';
import { hideToken } from '../../lib/redact.ts';
import {
  addLogin,
  claimLogin,
  recordLoginResult,
  readLogin,
  releaseLogin,
} from '../../store/owners/pending-logins.ts';
import { lockLogin } from '../../store/owners/login-lock.ts';
import { insertGrant, readToken, setCharacterNote } from '../../store/owners/tokens.ts';
import { classifyCallback } from '../../sso/sso-errors.ts';
import type { Grant } from '../../sso/sso-client.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { assignDefaults, type DefaultAssignments } from './default-assignments.ts';
import { encryptGrant, noApplication } from './access-token.ts';
import { assignmentsBlockedByScopes } from './blocked-assignments.ts';
import { chooseCollectors, neededScopes } from './login-rights.ts';

/** Milliseconds that a person has for the login: EVE's pages take a minute or two, a forgotten password more. */
const LOGIN_LIFETIME = 10 * 60_000;

/** Milliseconds that the result of a login is kept, for a page that is opened late. */
const RESULT_LIFETIME = 86_400_000;

/** Where to send a person. The state in the address is a secret of the person who started the login. */
export interface StartedLogin {
  readonly url: string;
  readonly state: string;
  readonly expiresAt: Date;
}

/** The result of a finished login. The message is for people. */
export interface LoginReport {
  readonly characterId: number;
  readonly name: string;
  readonly granted: readonly string[];
  /** Scopes that were requested and not granted. */
  readonly missing: readonly string[];
  /** Assignments that were added: `wallet character/90000001`. */
  readonly enabled: readonly string[];
  /** The character was logged in before. */
  readonly renewed: boolean;
  readonly message: string;
}

/** The state of a login, for the page or command that waits for it. */
export interface LoginResult {
  readonly state: 'waiting' | 'done' | 'failed' | 'expired';
  readonly message: string;
  readonly characterId?: number;
}

/** The query parameters that EVE redirects a person back with. */
export interface Callback {
  readonly state?: string | undefined;
  readonly code?: string | undefined;
  readonly error?: string | undefined;
}

const hashOf = (state: string) => createHash('sha256').update(state).digest('hex');
const verifierContext = (stateHash: string) => `login/${stateHash}`;

const loginError = (code: string, message: string) => new AppError(message, { code, verdict: 'fail' });

/**
 * Starts a login that requests the scopes of the named collectors, or of all. Throws AppError NO_APPLICATION,
 * UNKNOWN_COLLECTOR, and what the SSO client throws.
 */
export async function startLogin(
  engine: EngineContext,
  { collectors }: { readonly collectors?: readonly string[] | undefined } = {},
): Promise<StartedLogin> {
  const { cipher, sso } = engine;
  if (!sso) throw noApplication();
  const scopes = neededScopes(chooseCollectors(collectors));
  const { url, state, verifier } = await sso.startLogin(scopes);
  const now = engine.clock.now();
  const stateHash = hashOf(state);
  const draft = { stateHash, scopes, verifier: cipher.encrypt(verifier, verifierContext(stateHash)) };
  await addLogin(engine.db.pool, draft, new Date(now), new Date(now - RESULT_LIFETIME));
  return { url, state, expiresAt: new Date(now + LOGIN_LIFETIME) };
}

/**
 * Finishes the login that a callback belongs to, once. Throws AppError LOGIN_UNKNOWN, LOGIN_EXPIRED, LOGIN_USED,
 * LOGIN_DENIED, and what the SSO client throws; nothing was stored then. After LOGIN_BROKEN the login may be stored.
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
  // Not before: anybody may send any word as a state, and it would be masked everywhere.
  for (const secret of [state, code ?? '']) hideToken(secret);
  try {
    if (error !== undefined) throw classifyCallback(error);
    if (!code) throw loginError('LOGIN_DEAD', 'EVE sent no authorization code. Please start again.');
    const verifier = engine.cipher.decrypt(login.verifier, verifierContext(stateHash));
    const grant = await sso.finishLogin({ code, verifier });
    const report = await storeGrant(engine, grant, login.scopes, context);
    await recordLoginResult(engine.db.pool, stateHash, report);
    return report;
  } catch (cause) {
    const failure = cause instanceof AppError ? cause : brokenLogin(engine, cause);
    await recordFailure(engine, stateHash, failure);
    throw failure;
  }
}

/** When the process or the database failed during a login, it may have been stored or not. */
const CHECK = 'Check "eve-collector tokens list", and start again if the character is missing.';
const TOO_LATE = `The login was not completed within ten minutes. ${CHECK}`;

/** The details of an unexpected error are for the log, not for people. */
function brokenLogin({ log }: EngineContext, error: unknown): AppError {
  log.error({ error: describeError(error) }, 'a login could not be finished');
  return loginError(
    'LOGIN_BROKEN',
    `An internal error interrupted the login. It may have been stored. ${CHECK}`,
  );
}

/** The state of a login. Only the person who started it knows its state parameter. */
export async function loginResult(
  engine: Pick<EngineContext, 'db' | 'clock'>,
  state: string,
): Promise<LoginResult> {
  const login = await readLogin(engine.db.pool, hashOf(state));
  if (!login) return { state: 'failed', message: unknownLogin().message };
  const { message, characterId, createdAt } = login;
  if (message !== null)
    return characterId === null ? { state: 'failed', message } : { state: 'done', message, characterId };
  if (createdAt.getTime() + LOGIN_LIFETIME < engine.clock.now())
    return { state: 'expired', message: TOO_LATE };
  return { state: 'waiting', message: "Waiting for the login on EVE's page." };
}

const unknownLogin = () =>
  loginError('LOGIN_UNKNOWN', 'This login link is unknown. Nothing was stored. Please start again.');
const expiredLogin = () =>
  loginError(
    'LOGIN_EXPIRED',
    'The login took more than ten minutes. Nothing was stored. Please start again.',
  );

async function claim(engine: EngineContext, stateHash: string) {
  const now = engine.clock.now();
  const oldest = new Date(now - LOGIN_LIFETIME);
  const login = await claimLogin(engine.db.pool, stateHash, new Date(now), oldest);
  if (login) return login;
  const found = await readLogin(engine.db.pool, stateHash);
  if (!found) throw unknownLogin();
  if (found.finishedAt === null) throw expiredLogin();
  throw loginError(
    'LOGIN_USED',
    'This login link has already been used. Start a new login to add another character.',
  );
}

/** While the SSO is unreachable a code stays valid for some minutes, so the same callback may come again. */
async function recordFailure(engine: EngineContext, stateHash: string, failure: AppError): Promise<void> {
  if (failure.verdict !== 'fail') await releaseLogin(engine.db.pool, stateHash);
  else await recordLoginResult(engine.db.pool, stateHash, { message: describeError(failure) });
}

async function storeGrant(
  engine: EngineContext,
  grant: Grant,
  requested: readonly string[],
  context: StepContext,
): Promise<LoginReport> {
  const { characterId, name, ownerHash, scopes } = grant.identity;
  const now = new Date(engine.clock.now());
  const previous = await engine.db.transaction(async (client) => {
    await lockLogin(client, characterId); // a refresh under way would write what this login replaces
    const stored = await readToken(client, characterId);
    await insertGrant(client, encryptGrant(engine, grant), now);
    await setCharacterNote(client, characterId, null, now);
    return stored;
  });
  engine.log.info({ characterId }, `${name} is logged in`);
  const defaults = await assignDefaults(engine, { characterId, name, scopes }, context);
  const missing = requested.filter((scope) => !scopes.includes(scope));
  const blocked = await assignmentsBlockedByScopes(engine, characterId);
  const renewed = previous !== undefined;
  const hasNewOwner = renewed && previous.ownerHash !== null && previous.ownerHash !== ownerHash;
  const message = formatLoginReport({ name, missing, renewed, hasNewOwner, blocked, ...defaults });
  return { characterId, name, granted: scopes, missing, enabled: defaults.enabled, renewed, message };
}

interface LoginFindings extends DefaultAssignments {
  readonly name: string;
  readonly missing: readonly string[];
  readonly renewed: boolean;
  /** The character was transferred to another account since its last login. */
  readonly hasNewOwner: boolean;
  /** Assignments that are blocked by missing scopes, because this login replaces the scopes of the last one. */
  readonly blocked: readonly string[];
}

function formatLoginReport(findings: LoginFindings): string {
  const { name, missing, renewed, hasNewOwner, enabled, blocked, notes } = findings;
  const sentences = [renewed ? `${name} is logged in again.` : `${name} is logged in.`];
  if (hasNewOwner)
    sentences.push(
      'The character was transferred to another account since its last login. Collected data stays.',
    );
  if (enabled.length > 0) sentences.push(`Collected from now on: ${enabled.join(', ')}.`);
  else if (blocked.length > 0) sentences.push('No assignment was added.');
  else if (renewed) sentences.push('Collection resumes as before.');
  else sentences.push('Nothing is collected for it yet.');
  if (blocked.length > 0)
    sentences.push(
      `Blocked by missing scopes: ${blocked.join(', ')}. Log in again with all scopes to resume ("eve-collector tokens add" without --collectors).`,
    );
  if (missing.length > 0) sentences.push(`Not granted: ${missing.join(', ')}. Log in again to grant more.`);
  return [...sentences, ...notes].join(' ');
}
