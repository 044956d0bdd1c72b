import type { PoolClient } from 'pg';
import { parseRow, parseRowOrThrow } from '../../esi/facts/parse-row.ts';
import { z } from 'zod';
import { EsiError } from '../../esi/esi-error.ts';
import type { EsiRequest } from '../../esi/esi-request.ts';
import { describeError } from '../../lib/errors.ts';
import { factOf } from '../../esi/facts/routes.ts';
import { cleanName } from '../../lib/text.ts';
import { addAssignment, findAssignment } from '../../store/owners/assignments.ts';
import {
  type Move,
  postponeAffiliations,
  readNamelessCharacters,
  readStaleAffiliations,
  writeAffiliations,
  writeCharacterName,
  writeCorporation,
} from '../../store/owners/affiliations.ts';
import { splitOnBadRequest } from '../split-on-bad-request.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { ownerCollectors, ROLES_SCOPE, routesFor, typeOf } from './login-rights.ts';

/** Milliseconds: ESI's server caches an affiliation for an hour, which the answer of a POST does not state. */
const CACHE_TIME = 3_600_000;

/** Ids in one POST. */
const BATCH = 1_000;

const id = z.int().positive();
const affiliation = z.object({ character_id: id, corporation_id: id, alliance_id: id.optional() });
const rows = z.array(z.unknown());
const shownName = z.string().min(1).transform(cleanName);
const character = z.object({ name: shownName });
const corporation = z.object({ name: shownName, ticker: z.string().transform(cleanName) });

/**
 * Requests the corporations of characters and stores them: a character that changes its corporation changes whose data
 * its login can read. New corporations get a row with their name. Returns the assignments that were added by that:
 * `wallet corporation/98000001`.
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
      // A bad row costs its own character alone, which is requested again later.
      return rows.parse(json).flatMap((row) => parseRow(affiliation, row).data ?? []);
    });
    const now = new Date(engine.clock.now());
    const until = new Date(now.getTime() + CACHE_TIME);
    const known = new Set(found.map((row) => row.character_id));
    // A character that ESI does not know (deleted, or a mistyped id) is requested as seldom as the others.
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
    for (const one of await readNamelessCharacters(engine.db.pool, ids))
      await nameCharacter(engine, one, context);
  }
  return assigned;
}

/** Assigns what was assigned of the former corporation, as far as the login has the scopes for it. */
async function carryOverAssignments(
  client: PoolClient,
  { from, to, scopes }: Move,
  now: Date,
): Promise<string[]> {
  const assigned: string[] = [];
  for (const collector of scopes.includes(ROLES_SCOPE) ? ownerCollectors() : []) {
    const routes = routesFor(collector, 'corporation');
    if (!routes.some((route) => scopes.includes(factOf(route).scope ?? ''))) continue;
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
  const request = {
    route: '/corporations/{corporation_id}',
    params: { corporation_id: corporationId },
  } as const;
  await storeName(engine, request, context, (json) =>
    writeCorporation(engine.db.pool, corporationId, parseRowOrThrow(corporation, json)),
  );
}

async function nameCharacter(
  engine: EngineContext,
  characterId: number,
  context: StepContext,
): Promise<void> {
  const request = { route: '/characters/{character_id}', params: { character_id: characterId } } as const;
  await storeName(engine, request, context, (json) =>
    writeCharacterName(engine.db.pool, characterId, parseRowOrThrow(character, json).name),
  );
}

/** Requests a name and stores it. It only serves display, so it is left out where it cannot be read. */
async function storeName(
  engine: EngineContext,
  request: Pick<EsiRequest, 'route' | 'params'>,
  context: StepContext,
  store: (json: unknown) => Promise<void>,
): Promise<void> {
  try {
    await store((await engine.esi.get({ ...request, ...context })).json);
  } catch (error) {
    if (!(error instanceof EsiError || error instanceof z.ZodError)) throw error;
    engine.log.info({ ...request, error: describeError(error) }, 'a name could not be read');
  }
}

/** Whether any affiliation may have changed since it was last requested. */
export async function hasStaleAffiliations({ db, clock }: EngineContext): Promise<boolean> {
  return (await readStaleAffiliations(db.pool, new Date(clock.now()), 1)).length > 0;
}

/** Requests affiliations that may have changed. Returns how many. */
export async function refreshAffiliations(engine: EngineContext, context: StepContext): Promise<number> {
  const stale = await readStaleAffiliations(engine.db.pool, new Date(engine.clock.now()), BATCH);
  if (stale.length > 0) await storeAffiliations(engine, stale, context);
  return stale.length;
}
