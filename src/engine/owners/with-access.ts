import type { Target } from '../../collectors/targets.ts';
import type { EsiAuth } from '../../esi/esi-request.ts';
import { EsiError } from '../../esi/esi-error.ts';
import { factOf, type Route } from '../../esi/facts/routes.ts';
import { mayDenyTemporarily } from '../../esi/downtime.ts';
import { formatTime } from '../../lib/format.ts';
import { AppError, describeError } from '../../lib/errors.ts';
import {
  type Candidate,
  clearDenial,
  expireRoles,
  readCandidates,
  recordDenial,
} from '../../store/owners/candidates.ts';
import { DISABLED_BY_HAND } from '../../store/owners/tokens.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { esiAuth, noApplication, refreshNow } from './access-token.ts';
import { readRoles } from './character-roles.ts';
import { formatMissingRight, missingRight } from './login-rights.ts';

/** Errors of one character's login, after which another character may do. */
const OF_ONE_LOGIN = new Set([
  'LOGIN_INACTIVE',
  'LOGIN_DOUBTFUL',
  'NO_LOGIN',
  'TOKEN_UNREADABLE',
  'BAD_TOKEN',
]);

/** Whether an error concerns one character's login alone. */
export const isOfOneLogin = (error: unknown): error is AppError =>
  error instanceof AppError && OF_ONE_LOGIN.has(error.code);

/**
 * Runs `work` with the token of a character that may request the route for the target. A character without a valid
 * token, the scope or the role is passed over, and another one takes its place in the same run, so `work` has to be
 * repeatable. Throws AppError NO_ACCESS (`skip-target`) with the reasons when nobody is left, or the EsiError of roles
 * that could not be read.
 */
export async function withAccess<T>(
  engine: EngineContext,
  target: Target | undefined,
  route: Route,
  step: StepContext,
  work: (auth: EsiAuth | undefined) => Promise<T>,
): Promise<T> {
  if (factOf(route).scope === undefined || !target) return work(undefined);
  if (!engine.sso) throw noApplication();
  const subject = `${target.kind}/${target.id} ${route}`;
  const owner = target.kind === 'character' ? { characterId: target.id } : { corporationId: target.id };
  const reasons: string[] = [];
  let roleError: unknown; // roles of one character cannot be read now; another's may be readable
  for (const candidate of await chooseCandidates(engine, owner, subject, step)) {
    const reason = await ineligibleReason(engine, candidate, route, step).catch((error: unknown) => {
      if (!mayAnswerLater(error)) throw error;
      roleError ??= error;
      return describeError(error);
    });
    if (reason !== undefined) {
      reasons.push(reason);
      continue;
    }
    try {
      const result = await work(esiAuth(engine, candidate.characterId, step));
      if (candidate.denial !== null) await clearDenial(engine.db.pool, candidate.characterId, subject);
      return result;
    } catch (error) {
      reasons.push(await denialReason(engine, candidate, subject, error));
    }
  }
  throw roleError ?? noAccess(target, route, reasons);
}

const nameOf = ({ name, characterId }: Candidate): string => name || `character ${characterId}`;

const hasFreshRoles = ({ rolesUntil }: Candidate, now: number): boolean => (rolesUntil?.getTime() ?? 0) > now;

/** Whether ESI may answer a retry. */
const mayAnswerLater = (error: unknown): boolean =>
  error instanceof EsiError || (error instanceof AppError && error.code === 'ESI_BAD_SHAPE');

/**
 * The characters to try, first those whose roles are known. A login that was inserted by SQL without its scopes is
 * refreshed, because only the SSO's answer states them.
 */
async function chooseCandidates(
  engine: EngineContext,
  owner: { readonly characterId?: number; readonly corporationId?: number },
  subject: string,
  step: StepContext,
): Promise<Candidate[]> {
  const { pool } = engine.db;
  let candidates = await readCandidates(pool, owner, subject);
  const unknown = candidates.filter((candidate) => candidate.isActive && candidate.hasUnknownScopes);
  for (const { characterId } of unknown) {
    await refreshNow(engine, characterId, step).catch((error: unknown) => {
      if (!isOfOneLogin(error)) throw error;
    });
  }
  if (unknown.length > 0) candidates = await readCandidates(pool, owner, subject);
  const now = engine.clock.now();
  return candidates.toSorted((a, b) => Number(hasFreshRoles(b, now)) - Number(hasFreshRoles(a, now)));
}

/** Why a character cannot be used for a route; undefined when it can. */
async function ineligibleReason(
  engine: EngineContext,
  candidate: Candidate,
  route: Route,
  step: StepContext,
): Promise<string | undefined> {
  const { scopes, deniedUntil, denial } = candidate;
  const name = nameOf(candidate);
  const now = engine.clock.now();
  if (!candidate.isActive) return `${name}: ${candidate.inactiveReason ?? DISABLED_BY_HAND}`;
  const missingScope = missingRight(route, { scopes });
  if (missingScope) return `${name} has not granted ${formatMissingRight(missingScope)}. Log in again.`;
  if (deniedUntil && deniedUntil.getTime() > now)
    return `${name}: ${denial} (requested again at ${formatTime(deniedUntil, new Date(now))}).`;
  if (factOf(route).roles === undefined) return undefined;
  try {
    const isFresh = hasFreshRoles(candidate, now);
    const roles = isFresh ? candidate.roles : await readRoles(engine, candidate.characterId, step);
    const missing = missingRight(route, { scopes, roles });
    return missing && `${name} lacks ${formatMissingRight(missing)}.`;
  } catch (error) {
    if (error instanceof EsiError && error.verdict === 'fail')
      return `${name}: the roles cannot be checked. ${describeError(error)}`;
    if (!isOfOneLogin(error)) throw error;
    return `${name}: ${describeError(error)}`;
  }
}

/** The reason of an error that concerns a character alone, recorded when ESI denied the request. Rethrows other errors. */
async function denialReason(
  engine: EngineContext,
  candidate: Candidate,
  subject: string,
  error: unknown,
): Promise<string> {
  const { characterId } = candidate;
  const name = nameOf(candidate);
  if (isOfOneLogin(error)) return `${name}: ${describeError(error)}`;
  if (!(error instanceof EsiError) || error.verdict !== 'fail') throw error;
  if (error.status !== 403 && error.status !== 401) throw error;
  const reason = `ESI denied access (${error.status})`;
  const now = engine.clock.now();
  if (mayDenyTemporarily(now)) return `${name}: ${reason}, which it does around the daily downtime.`;
  await recordDenial(engine.db.pool, { characterId, subject, reason }, new Date(now));
  await expireRoles(engine.db.pool, characterId);
  return `${name}: ${reason}.`;
}

function noAccess(target: Target, route: Route, reasons: readonly string[]): AppError {
  const { scope, roles } = factOf(route);
  const needed = [
    `the scope ${scope}`,
    ...(roles ? [formatMissingRight({ kind: 'role', anyOf: roles })] : []),
  ];
  const nobody =
    target.kind === 'corporation'
      ? `No member of corporation ${target.id} is logged in`
      : `Character ${target.id} is not logged in`;
  const message = reasons.length > 0 ? reasons.join(' ') : `${nobody}. Required: ${needed.join(' and ')}.`;
  return new AppError(message, { code: 'NO_ACCESS', verdict: 'skip-target' });
}
