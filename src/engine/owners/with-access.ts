import { mayRefuseTemporarily } from '../../esi/limits/downtime.ts';
import type { EsiAuth } from '../../esi/esi-request.ts';
import { EsiError } from '../../esi/esi-error.ts';
import { AppError, describeError } from '../../lib/errors.ts';
import { factOf, type Route } from '../../esi/facts/routes.ts';
import type { Target } from '../../collectors/targets.ts';
import {
  type Candidate,
  expireRoles,
  clearDenial,
  recordDenial,
  readCandidates,
} from '../../store/owners/access.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { noApplication, refreshNow, tokenOf } from './access-token.ts';
import { readRoles, ROLES_SCOPE } from './character-roles.ts';

/** Errors after which another login may do. */
const OF_ONE_LOGIN = new Set(['LOGIN_INACTIVE', 'NO_LOGIN', 'TOKEN_UNREADABLE', 'BAD_TOKEN']);

/** Whether an error speaks of one character's login alone. */
export const isOfOneLogin = (error: unknown): error is AppError =>
  error instanceof AppError && OF_ONE_LOGIN.has(error.code);

/**
 * Does work with the token of a character that may ask the route for the target. A character that lost its token, its
 * scope or its role is passed over, and another takes its place in the same run; work must be repeatable for that.
 * Throws AppError NO_ACCESS (`skip-target`) with what is missing when nobody is left, or the EsiError of roles that could
 * not be read.
 */
export async function withAccess<T>(
  engine: EngineContext,
  target: Target | undefined,
  route: Route,
  context: StepContext,
  work: (auth: EsiAuth | undefined) => Promise<T>,
): Promise<T> {
  const { scope } = factOf(route);
  if (scope === undefined || !target) return work(undefined);
  if (!engine.sso) throw noApplication();
  const subject = `${target.kind}/${target.id} ${route}`;
  const who = target.kind === 'character' ? { characterId: target.id } : { corporationId: target.id };
  const why: string[] = [];
  let trouble: unknown; // roles that cannot be had now: perhaps somebody else's can
  for (const candidate of fresh(await readScoped(engine, who, subject, context), engine.clock.now())) {
    const against = await ineligibleReason(engine, candidate, route, context).catch((error: unknown) => {
      if (!isTrouble(error)) throw error;
      trouble ??= error;
      return describeError(error);
    });
    if (against !== undefined) {
      why.push(against);
      continue;
    }
    try {
      const result = await work(tokenOf(engine, candidate.characterId, context));
      if (candidate.refusal !== undefined) await clearDenial(engine.db.pool, candidate.characterId, subject);
      return result;
    } catch (error) {
      why.push(await refused(engine, candidate, subject, error));
    }
  }
  throw trouble ?? noAccess(target, route, why);
}

/** Those first whose roles need not be asked for: while one's cannot be read, another may do. */
const fresh = (candidates: readonly Candidate[], now: number) =>
  candidates.toSorted((a, b) => Number(isFresh(b, now)) - Number(isFresh(a, now)));

const isFresh = ({ rolesUntil }: Candidate, now: number) => (rolesUntil?.getTime() ?? 0) > now;

/** Whether ESI may answer when it is asked again. */
const isTrouble = (error: unknown) =>
  error instanceof EsiError || (error instanceof AppError && error.code === 'ESI_BAD_SHAPE');

/** Who may be asked with. A login that somebody inserted by SQL tells its scopes with its first refresh, which is now. */
async function readScoped(
  engine: EngineContext,
  who: { readonly characterId?: number; readonly corporationId?: number },
  subject: string,
  context: StepContext,
): Promise<Candidate[]> {
  const candidates = await readCandidates(engine.db.pool, who, subject);
  const untold = candidates.filter(({ isActive, isUntold }) => isActive && isUntold);
  for (const { characterId } of untold) {
    try {
      await refreshNow(engine, characterId, context);
    } catch (error) {
      if (!isOfOneLogin(error)) throw error;
    }
  }
  return untold.length > 0 ? readCandidates(engine.db.pool, who, subject) : candidates;
}

/** Why a character is not asked with; undefined when it may. */
async function ineligibleReason(
  engine: EngineContext,
  candidate: Candidate,
  route: Route,
  context: StepContext,
): Promise<string | undefined> {
  const { scope, roles } = factOf(route);
  const { name } = candidate;
  const now = engine.clock.now();
  if (!candidate.isActive) return `${name}: ${candidate.inactiveReason}`;
  if (!candidate.scopes.includes(scope!)) return `${name} has not granted ${scope}: log in again.`;
  if (candidate.refusedUntil && candidate.refusedUntil.getTime() > now)
    return `${name}: ${candidate.refusal} (asked again at ${candidate.refusedUntil.toISOString()}).`;
  if (roles === undefined) return undefined;
  if (!candidate.scopes.includes(ROLES_SCOPE))
    return `${name} has not granted ${ROLES_SCOPE}, so its roles cannot be checked: log in again.`;
  try {
    const held = isFresh(candidate, now)
      ? candidate.roles
      : await readRoles(engine, candidate.characterId, context);
    if (roles.some((role) => held.includes(role))) return undefined;
    return `${name} lacks the role ${roles.join(' or ')}.`;
  } catch (error) {
    if (error instanceof EsiError && error.verdict === 'fail')
      return `${name}: its roles cannot be checked, ${describeError(error)}`;
    if (!isOfOneLogin(error)) throw error;
    return `${name}: ${describeError(error)}`;
  }
}

/** What an error says against a character; rethrown when it says something else. */
async function refused(
  engine: EngineContext,
  { characterId, name }: Candidate,
  subject: string,
  error: unknown,
): Promise<string> {
  if (isOfOneLogin(error)) return `${name}: ${describeError(error)}`;
  if (!(error instanceof EsiError) || (error.status !== 403 && error.status !== 401)) throw error;
  const reason = `ESI refused it (${error.status})`;
  if (mayRefuseTemporarily(engine.clock.now()))
    return `${name}: ${reason}, which it does around the downtime.`;
  await recordDenial(engine.db.pool, { characterId, subject, reason }, new Date(engine.clock.now()));
  await expireRoles(engine.db.pool, characterId);
  return `${name}: ${reason}.`;
}

function noAccess(target: Target, route: Route, why: readonly string[]): AppError {
  const { scope, roles } = factOf(route);
  const needed = `${scope}${roles ? ` and the role ${roles.join(' or ')}` : ''}`;
  const nobody =
    target.kind === 'corporation'
      ? `No member of corporation ${target.id} is logged in`
      : `Character ${target.id} is not logged in`;
  const told = why.length > 0 ? why.join(' ') : `${nobody}; needed: ${needed}.`;
  return new AppError(told, { code: 'NO_ACCESS', verdict: 'skip-target' });
}
