import type { OwnerCollector } from '../../collectors/define.ts';
import type { OwnerKind } from '../../collectors/targets.ts';
import { factOf } from '../../esi/facts/routes.ts';
import { HOUR, MINUTE, parseDuration } from '../../lib/duration.ts';
import { describeError } from '../../lib/errors.ts';
import { FIRST_PLAYER_CORPORATION } from '../../store/owners/affiliations.ts';
import { addAssignment, readMembership } from '../../store/owners/assignments.ts';
import { resumeCorporation } from '../../store/owners/tokens.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { readRoles } from './character-roles.ts';
import {
  formatMissingRight,
  missingRight,
  ownerCollectors,
  ROLES_SCOPE,
  routesFor,
  typeOf,
} from './login-rights.ts';
import { storeAffiliations } from './refresh-affiliations.ts';

/** What a login has assigned. */
export interface DefaultAssignments {
  /** `wallet character/90000001` */
  readonly enabled: readonly string[];
  /** Sentences about what is not collected, and why. */
  readonly notes: readonly string[];
}

interface NewLogin {
  readonly characterId: number;
  readonly name: string;
  readonly scopes: readonly string[];
}

/** Minutes between two runs by the collector's own schedule. */
export const minutesOf = (collector: OwnerCollector): number =>
  Math.max(1, Math.round((parseDuration(collector.schedule.every) ?? HOUR) / MINUTE));

/**
 * Assigns what a character's login makes possible, for itself and for its corporation. Existing assignments stay as they
 * are, also disabled ones. When ESI does not answer, nothing is assigned for the corporation.
 */
export async function assignDefaults(
  engine: EngineContext,
  login: NewLogin,
  step: StepContext,
): Promise<DefaultAssignments> {
  const { characterId, scopes } = login;
  const own = ownerCollectors().filter((collector) =>
    routesFor(collector, 'character').some((route) => !missingRight(route, { scopes })),
  );
  const enabled = await assignAll(engine, own, 'character', characterId);
  const forCorporation = ownerCollectors().filter((collector) =>
    routesFor(collector, 'corporation').some((route) => scopes.includes(factOf(route).scope ?? '')),
  );
  try {
    const carriedOver = await storeAffiliations(engine, [characterId], step);
    await resumeCorporation(engine.db.pool, characterId, new Date(engine.clock.now()));
    const corporation =
      forCorporation.length === 0
        ? { enabled: [], notes: [] }
        : await assignCorporation(engine, login, forCorporation, step);
    return {
      enabled: [...enabled, ...carriedOver, ...corporation.enabled],
      notes: corporation.notes,
    };
  } catch (error) {
    const fields = { characterId, error: describeError(error) };
    engine.log.warn(fields, 'the corporation of a new login could not be requested');
    const note =
      'ESI did not answer about the corporation, so nothing is collected for it. Log in again later, or use "eve-collector assign add".';
    return { enabled, notes: forCorporation.length === 0 ? [] : [note] };
  }
}

async function assignAll(
  engine: EngineContext,
  collectors: readonly OwnerCollector[],
  kind: OwnerKind,
  ownerId: number,
): Promise<string[]> {
  const now = new Date(engine.clock.now());
  const added: string[] = [];
  for (const collector of collectors) {
    const draft = { kind, ownerId, type: typeOf(collector.name), intervalMinutes: minutesOf(collector) };
    if ((await addAssignment(engine.db.pool, draft, now)) !== undefined)
      added.push(`${collector.name} ${kind}/${ownerId}`);
  }
  return added;
}

async function assignCorporation(
  engine: EngineContext,
  { characterId, name, scopes }: NewLogin,
  collectors: readonly OwnerCollector[],
  step: StepContext,
): Promise<DefaultAssignments> {
  const membership = await readMembership(engine.db.pool, characterId);
  const id = membership?.corporationId ?? 0;
  if (id < FIRST_PLAYER_CORPORATION) return { enabled: [], notes: [] };
  const corporation = membership?.corporation ?? `corporation ${id}`;
  if (!scopes.includes(ROLES_SCOPE))
    return {
      enabled: [],
      notes: [`Nothing is collected for ${corporation}: the scope ${ROLES_SCOPE} is not granted.`],
    };
  const roles = await readRoles(engine, characterId, step);
  const missingOf = (collector: OwnerCollector) =>
    routesFor(collector, 'corporation').map((route) => missingRight(route, { scopes, roles }));
  const possible = collectors.filter((collector) => missingOf(collector).includes(undefined));
  const notes = collectors
    .filter((collector) => !possible.includes(collector))
    .map((collector) => {
      const missing = new Set(missingOf(collector).flatMap((one) => (one ? formatMissingRight(one) : [])));
      return `${collector.name} of ${corporation} is not collected: ${name} lacks ${[...missing].join(', or ')}.`;
    });
  return { enabled: await assignAll(engine, possible, 'corporation', id), notes };
}
