import { z } from 'zod';
import { mayDenyTemporarily } from '../../esi/limits/downtime.ts';
import { EsiError } from '../../esi/esi-error.ts';
import { stripUnstorable } from '../../lib/text.ts';
import { factOf } from '../../esi/facts/routes.ts';
import { clearDenial, recordDenial } from '../../store/owners/candidates.ts';
import { writePublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import {
  closeAbandoned,
  closeRun,
  countRequests,
  findRunResult,
  openRun,
  type RunKey,
} from '../../store/sets/runs.ts';
import {
  countPlaceholderStructures,
  readWantedStructures,
  touchStructure,
  type WantedStructure,
  writeStructure,
} from '../../store/owners/structures.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import type { Step } from '../run/run-steps.ts';
import { resolveIds } from '../universe/resolve-references.ts';
import { isOfOneLogin } from './with-access.ts';
import { esiAuth } from './access-token.ts';

const ROUTE = '/universe/structures/{structure_id}';

/**
 * Refusals in one run: each takes one of the hundred errors a minute that ESI allows this address for everything, and
 * may become a ban. What is left comes a quarter of an hour later.
 */
const MOST_REFUSALS = 10;

/** Structures in one run. */
const MOST = 200;

/** A structure changes its name or owner seldom. */
const STALE = 7 * 86_400_000;

const answer = z.object({
  name: z.string(),
  owner_id: z.int().positive(),
  solar_system_id: z.int().positive(),
  type_id: z.int().positive().optional(),
  position: z.object({ x: z.number(), y: z.number(), z: z.number() }).optional(),
});

/**
 * Asks for structures that live data named, each with a character that may see it. A refusal is remembered for the
 * character and the structure and costs nothing until it is worth asking again, ever more seldom; the placeholder stays
 * in the table meanwhile.
 */
export async function collectStructures(
  engine: EngineContext,
  key: RunKey,
  context: StepContext,
): Promise<Step> {
  const { pool } = engine.db;
  const earlier = await findRunResult(pool, key);
  if (earlier) return { state: 'done', summary: earlier };
  const started = new Date(engine.clock.now());
  const runId = await openRun(pool, key, started);
  await closeAbandoned(pool, key, runId, started);
  const stale = new Date(started.getTime() - STALE);
  const scope = factOf(ROUTE).scope!;
  const wanted = engine.sso ? await readWantedStructures(pool, scope, started, stale, MOST) : [];
  const counts = { found: 0, refused: 0 };
  for (const structure of wanted) {
    if (counts.refused >= MOST_REFUSALS) break;
    context.heartbeat?.({ structure: structure.structureId });
    await askFor(engine, structure, runId, counts, context);
  }
  const now = new Date(engine.clock.now());
  const outcome = counts.found > 0 ? 'published' : 'unchanged';
  const rows = await countPlaceholderStructures(pool);
  const set = {
    runId,
    lastModified: now,
    expires: undefined,
    pages: 1,
    rows: counts.found,
    version: undefined,
  };
  await writePublishedSnapshot(pool, key, set, now);
  await closeRun(pool, runId, { outcome, changed: counts.found, lastModified: now }, now);
  engine.metrics.runFinished(key.collector, outcome, counts.found, now.getTime());
  const detail =
    rows > 0 ? { detail: `${rows} structures are not known by name: nobody here may see them` } : {};
  return {
    state: 'done',
    summary: { outcome, runId, inserted: 0, changed: counts.found, removed: 0, ...detail },
  };
}

/** Asks with one of the characters after another until one may see it; then, or after them, it is the next structure's turn. */
async function askFor(
  engine: EngineContext,
  { structureId, characterIds }: WantedStructure,
  runId: number,
  counts: { found: number; refused: number },
  context: StepContext,
): Promise<void> {
  const { pool } = engine.db;
  const subject = `structure/${structureId}`;
  for (const characterId of characterIds) {
    if (counts.refused >= MOST_REFUSALS) return;
    const now = () => new Date(engine.clock.now());
    try {
      const params = { structure_id: structureId };
      const auth = esiAuth(engine, characterId, context);
      const { json, requests } = await engine.esi.get({ route: ROUTE, params, auth, ...context });
      await countRequests(pool, runId, requests);
      await keep(engine, structureId, answer.parse(json), context);
      await clearDenial(pool, characterId, subject);
      counts.found++;
      return;
    } catch (error) {
      context.signal?.throwIfAborted();
      if (error instanceof z.ZodError) return touchStructure(pool, structureId, now());
      if (isOfOneLogin(error)) continue; // it is lost meanwhile
      if (!(error instanceof EsiError) || error.verdict === 'wait') throw error;
      await countRequests(pool, runId, error.requests);
      if (error.status === undefined || error.status >= 500) return touchStructure(pool, structureId, now());
      counts.refused++;
      if (mayDenyTemporarily(engine.clock.now())) return;
      const reason = `ESI refused it (${error.status})`;
      await recordDenial(pool, { characterId, subject, reason }, now());
    }
  }
  await touchStructure(pool, structureId, new Date(engine.clock.now()));
}

async function keep(
  engine: EngineContext,
  structureId: number,
  told: z.infer<typeof answer>,
  context: StepContext,
): Promise<void> {
  const { pool } = engine.db;
  const { rows } = await pool.query<{ system: boolean; type: boolean }>(
    `SELECT EXISTS (SELECT FROM systems WHERE system_id = $1) AS system,
            $2::bigint IS NULL OR EXISTS (SELECT FROM types WHERE type_id = $2) AS type`,
    [told.solar_system_id, told.type_id ?? null],
  );
  if (!rows[0]!.system) await resolveIds(engine, 'systems', [told.solar_system_id], context);
  if (!rows[0]!.type) await resolveIds(engine, 'types', [told.type_id!], context);
  const structure = {
    structureId,
    ...{ name: stripUnstorable(told.name), ownerId: told.owner_id, systemId: told.solar_system_id },
    ...{ typeId: told.type_id, position: told.position },
  };
  await writeStructure(pool, structure, new Date(engine.clock.now()));
}
