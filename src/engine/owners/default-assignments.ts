import { describeError } from '../../lib/errors.ts';
import { parseDuration } from '../../lib/clock.ts';
import type { OwnerCollector } from '../../collectors/define.ts';
import { factOf, type Route } from '../../esi/facts/routes.ts';
import type { OwnerKind } from '../../collectors/targets.ts';
import { addAssignment, readMembership } from '../../store/owners/assignments.ts';
import { FIRST_PLAYER_CORPORATION } from '../../store/owners/affiliations.ts';
import { resumeCorporation } from '../../store/owners/tokens.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { storeAffiliations } from './refresh-affiliations.ts';
import { readRoles, ROLES_SCOPE } from './character-roles.ts';
import { lacks, opens, ownerCollectors, resourcesFor, typeOf } from './login-rights.ts';

export interface Defaults {
  /** `wallet character/90000001` */
  readonly enabled: readonly string[];
  /** Sentences about what is not collected, and why. */
  readonly notes: readonly string[];
}

interface Member {
  readonly characterId: number;
  readonly name: string;
  readonly scopes: readonly string[];
}

/** Minutes between two runs that a collector itself thinks right. */
export const minutesOf = (collector: OwnerCollector): number =>
  Math.max(1, Math.round((parseDuration(collector.schedule.every) ?? 3_600_000) / 60_000));

/**
 * What a character's login makes possible is assigned, for itself and for its corporation, unless there is an assignment
 * already: one that somebody has switched off stays off. ESI may be away: then the corporation waits.
 */
export async function assignDefaults(
  engine: EngineContext,
  member: Member,
  context: StepContext,
): Promise<Defaults> {
  const { characterId, scopes } = member;
  const own = ownerCollectors().filter((c) =>
    resourcesFor(c, 'character').some((p) => opensOwn(p.route as Route, scopes)),
  );
  const enabled = await assign(engine, own, 'character', characterId);
  const wanted = ownerCollectors().filter((c) => resourcesFor(c, 'corporation').length > 0);
  const asked = wanted.filter((c) =>
    resourcesFor(c, 'corporation').some((p) => scopes.includes(factOf(p.route as Route).scope ?? '')),
  );
  try {
    const along = await storeAffiliations(engine, [characterId], context);
    await resumeCorporation(engine.db.pool, characterId, new Date(engine.clock.now()));
    if (asked.length === 0) return { enabled: [...enabled, ...along], notes: [] };
    const { enabled: more, notes } = await assignCorporation(engine, member, asked, context);
    return { enabled: [...enabled, ...along, ...more], notes };
  } catch (error) {
    engine.log.warn(
      { characterId, error: describeError(error) },
      'the corporation of a new login is not known yet',
    );
    const notes =
      asked.length === 0
        ? []
        : [
            'ESI did not answer about the corporation: log in again later, or assign it by hand, if it is to be collected.',
          ];
    return { enabled, notes };
  }
}

/** A character's own routes ask for no role. */
const opensOwn = (route: Route, scopes: readonly string[]) => opens(route, { scopes, roles: [] });

async function assign(
  engine: EngineContext,
  collectors: readonly OwnerCollector[],
  kind: OwnerKind,
  ownerId: number,
): Promise<string[]> {
  const now = new Date(engine.clock.now());
  const made: string[] = [];
  for (const collector of collectors) {
    const draft = { kind, ownerId, type: typeOf(collector.name), intervalMinutes: minutesOf(collector) };
    if ((await addAssignment(engine.db.pool, draft, now)) !== undefined)
      made.push(`${collector.name} ${kind}/${ownerId}`);
  }
  return made;
}

async function assignCorporation(
  engine: EngineContext,
  { characterId, name, scopes }: Member,
  collectors: readonly OwnerCollector[],
  context: StepContext,
): Promise<Defaults> {
  const membership = await readMembership(engine.db.pool, characterId);
  const id = membership?.corporationId ?? 0;
  if (id < FIRST_PLAYER_CORPORATION) return { enabled: [], notes: [] };
  const corporation = membership?.corporation ?? `corporation ${id}`;
  if (!scopes.includes(ROLES_SCOPE))
    return {
      enabled: [],
      notes: [`Nothing is collected for ${corporation}: ${ROLES_SCOPE} is not granted.`],
    };
  const roles = await readRoles(engine, characterId, context);
  const routes = (c: OwnerCollector) => resourcesFor(c, 'corporation').map((part) => part.route as Route);
  const open = collectors.filter((c) => routes(c).some((route) => opens(route, { scopes, roles })));
  const closed = collectors.filter((c) => !open.includes(c));
  const notes = closed.map((c) => {
    const missing = new Set(routes(c).flatMap((route) => lacks(route, { scopes, roles }) ?? []));
    return `The ${c.name} of ${corporation} ${c.name.endsWith('s') ? 'are' : 'is'} not collected through ${name}, who lacks ${[...missing].join(', or ')}.`;
  });
  return { enabled: await assign(engine, open, 'corporation', id), notes };
}
