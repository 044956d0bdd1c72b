import type { PoolClient } from 'pg';
import { z } from 'zod';
import { EsiError } from '../../esi/esi-error.ts';
import { describeError } from '../../lib/errors.ts';
import { factOf, type Route } from '../../esi/facts/routes.ts';
import { addAssignment, findAssignment } from '../../store/owners/assignments.ts';
import {
  type Move,
  postponeAffiliations,
  readStaleAffiliations,
  writeAffiliations,
  writeCorporation,
} from '../../store/owners/affiliations.ts';
import { splitOnBadRequest } from '../split-on-bad-request.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { ROLES_SCOPE } from './character-roles.ts';
import { ownerCollectors, resourcesFor, typeOf } from './login-rights.ts';

/** ESI's server holds an affiliation for an hour, and the answer of a POST says nothing of it. */
const HOLDS = 3_600_000;

/** Ids in one POST. */
const BATCH = 1_000;

const id = z.int().positive();
const affiliation = z.object({ character_id: id, corporation_id: id, alliance_id: id.optional() });
const rows = z.array(z.unknown());
const corporation = z.object({ name: z.string().min(1), ticker: z.string() });

/**
 * Asks ESI whose members characters are, and writes it: who changes corporation changes whose data its login opens, and
 * what is collected of it.
 * New corporations get a row with their name. Returns what is assigned by that: `wallet corporation/98000001`.
 */
export async function storeAffiliations(
  engine: EngineContext,
  characterIds: readonly number[],
  context: StepContext,
): Promise<string[]> {
  const assigned: string[] = [];
  for (let start = 0; start < characterIds.length; start += BATCH) {
    const ids = characterIds.slice(start, start + BATCH);
    const found = await splitOnBadRequest(ids, async (part) => {
      const { json } = await engine.esi.post({ route: '/characters/affiliation', ids: part, ...context });
      // One bad row hides nobody else's: its character is asked for again later.
      return rows.parse(json).flatMap((row) => affiliation.safeParse(row).data ?? []);
    });
    const now = new Date(engine.clock.now());
    const until = new Date(now.getTime() + HOLDS);
    const known = new Set(found.map((row) => row.character_id));
    // A character that ESI does not know (deleted, or a slip in the id) is asked for again as seldom as the others.
    await postponeAffiliations(
      engine.db.pool,
      ids.filter((one) => !known.has(one)),
      until,
    );
    const wanted = new Set(ids);
    const ours = found.filter((row) => wanted.has(row.character_id));
    const nameless = await engine.db.transaction(async (client) => {
      const written = await writeAffiliations(client, ours, until);
      for (const move of written.moves) assigned.push(...(await carryOverAssignments(client, move, now)));
      return written.nameless;
    });
    for (const one of new Set(nameless)) await nameCorporation(engine, one, context);
  }
  return assigned;
}

/** What was assigned of the former corporation, as far as the login opens it where the roles are there. */
async function carryOverAssignments(
  client: PoolClient,
  { from, to, scopes }: Move,
  now: Date,
): Promise<string[]> {
  const assigned: string[] = [];
  for (const collector of scopes.includes(ROLES_SCOPE) ? ownerCollectors() : []) {
    const needed = resourcesFor(collector, 'corporation').map((part) => factOf(part.route as Route).scope);
    if (!needed.some((scope) => scopes.includes(scope ?? ''))) continue;
    const type = typeOf(collector.name);
    const former = await findAssignment(client, { kind: 'corporation', ownerId: from, type });
    if (!former?.isEnabled) continue;
    const draft = {
      kind: 'corporation',
      ownerId: to,
      type,
      intervalMinutes: former.intervalMinutes,
    } as const;
    if ((await addAssignment(client, draft, now)) !== undefined)
      assigned.push(`${collector.name} corporation/${to}`);
  }
  return assigned;
}

async function nameCorporation(
  engine: EngineContext,
  corporationId: number,
  context: StepContext,
): Promise<void> {
  try {
    const { json } = await engine.esi.get({
      route: '/corporations/{corporation_id}',
      params: { corporation_id: corporationId },
      ...context,
    });
    await writeCorporation(engine.db.pool, corporationId, corporation.parse(json));
  } catch (error) {
    if (!(error instanceof EsiError || error instanceof z.ZodError)) throw error;
    engine.log.info(
      { corporationId, error: describeError(error) },
      'the name of a corporation is not known yet',
    );
  }
}

/** Whether any affiliation may have changed. */
export async function hasStaleAffiliations({ db, clock }: EngineContext): Promise<boolean> {
  return (await readStaleAffiliations(db.pool, new Date(clock.now()), 1)).length > 0;
}

/** Looks after affiliations that may have changed. Returns how many were asked for. */
export async function refreshAffiliations(engine: EngineContext, context: StepContext): Promise<number> {
  const stale = await readStaleAffiliations(engine.db.pool, new Date(engine.clock.now()), BATCH);
  if (stale.length > 0) await storeAffiliations(engine, stale, context);
  return stale.length;
}
