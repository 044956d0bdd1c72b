import type { OwnerKind } from '../../collectors/targets.ts';
import type { Route } from '../../esi/facts/routes.ts';
import { findAssignment, readMembership } from '../../store/owners/assignments.ts';
import { readCandidates } from '../../store/owners/candidates.ts';
import type { EngineContext } from '../engine-context.ts';
import { missingRight, neededScopes, ownerCollectors, routesFor, typeOf } from './login-rights.ts';

/**
 * The assignments of a character and its corporation that are blocked, at least in part, by missing scopes alone: with
 * all scopes the character could read what no login can read now. E.g. `wallet character/90000001`.
 */
export async function assignmentsBlockedByScopes(
  { db }: Pick<EngineContext, 'db'>,
  characterId: number,
): Promise<string[]> {
  const corporationId = (await readMembership(db.pool, characterId))?.corporationId;
  const own = await blockedOf(db, characterId, 'character', characterId);
  if (!corporationId) return own;
  return [...own, ...(await blockedOf(db, characterId, 'corporation', corporationId))];
}

async function blockedOf(
  db: EngineContext['db'],
  characterId: number,
  kind: OwnerKind,
  ownerId: number,
): Promise<string[]> {
  const owner = kind === 'character' ? { characterId } : { corporationId: ownerId };
  const logins = (await readCandidates(db.pool, owner, '')).filter(({ isActive }) => isActive);
  const roles = logins.find((login) => login.characterId === characterId)?.roles ?? [];
  const allScopes = { scopes: neededScopes(ownerCollectors()), roles };
  const isBlocked = (route: Route) =>
    !missingRight(route, allScopes) && logins.every((login) => missingRight(route, login));
  const blocked: string[] = [];
  for (const collector of ownerCollectors()) {
    if (!routesFor(collector, kind).some(isBlocked)) continue;
    const assignment = await findAssignment(db.pool, { kind, ownerId, type: typeOf(collector.name) });
    if (assignment?.isEnabled) blocked.push(`${collector.name} ${kind}/${ownerId}`);
  }
  return blocked;
}
