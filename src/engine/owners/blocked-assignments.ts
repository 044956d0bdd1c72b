import { factOf, type Route } from '../../esi/facts/routes.ts';
import type { OwnerKind } from '../../collectors/targets.ts';
import { readCandidates } from '../../store/owners/access.ts';
import { findAssignment, readMembership } from '../../store/owners/assignments.ts';
import type { EngineContext } from '../engine-context.ts';
import { ROLES_SCOPE } from './character-roles.ts';
import { neededScopes, opens, ownerCollectors, resourcesFor, type Rights, typeOf } from './login-rights.ts';

/** Without the scope that tells its roles a character is not asked where roles are needed. */
const assertOpen = (route: Route, rights: Rights) =>
  opens(route, rights) && (factOf(route).roles === undefined || rights.scopes.includes(ROLES_SCOPE));

/**
 * What is assigned to a character and its corporation and rests, at least in part, for want of scopes alone: with all of
 * them the character could open what no login opens as it is. `wallet character/90000001`
 */
export async function assignmentsBlockedByScopes(
  { db }: Pick<EngineContext, 'db'>,
  characterId: number,
): Promise<string[]> {
  const corporationId = (await readMembership(db.pool, characterId))?.corporationId;
  const own = await restingOf(db, characterId, 'character', characterId);
  return corporationId ? [...own, ...(await restingOf(db, characterId, 'corporation', corporationId))] : own;
}

async function restingOf(
  db: EngineContext['db'],
  characterId: number,
  kind: OwnerKind,
  ownerId: number,
): Promise<string[]> {
  const who = kind === 'character' ? { characterId } : { corporationId: ownerId };
  const logins = (await readCandidates(db.pool, who, '')).filter(({ isActive }) => isActive);
  const roles = logins.find((login) => login.characterId === characterId)?.roles ?? [];
  const whole = { scopes: neededScopes(ownerCollectors()), roles };
  const shut = (route: Route) =>
    assertOpen(route, whole) && !logins.some((login) => assertOpen(route, login));
  const found: string[] = [];
  for (const collector of ownerCollectors()) {
    if (!resourcesFor(collector, kind).some((part) => shut(part.route as Route))) continue;
    const assignment = await findAssignment(db.pool, { kind, ownerId, type: typeOf(collector.name) });
    if (assignment?.isEnabled) found.push(`${collector.name} ${kind}/${ownerId}`);
  }
  return found;
}
