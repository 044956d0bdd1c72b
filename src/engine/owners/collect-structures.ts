import { z } from 'zod';
import { EsiError } from '../../esi/esi-error.ts';
import { position } from '../../esi/facts/bounds.ts';
import { parseRowOrThrow } from '../../esi/facts/parse-row.ts';
import { factOf } from '../../esi/facts/routes.ts';
import { mayDenyTemporarily } from '../../esi/downtime.ts';
import type { ExactInt } from '../../lib/exact-int.ts';
import { DAY } from '../../lib/duration.ts';
import { stripUnstorable } from '../../lib/text.ts';
import { clearDenial, recordDenial } from '../../store/owners/candidates.ts';
import {
  countKnownStructures,
  countPlaceholderStructures,
  readWantedStructures,
  touchStructure,
  type WantedStructure,
  writeStructure,
} from '../../store/owners/structure-store.ts';
import { writePublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import { countRequests, type RunKey } from '../../store/sets/runs.ts';
import { readRowState } from '../../store/universe/static-rows.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { closeProcedureRun, openProcedureRun } from '../run/procedure-run.ts';
import type { RunRef, Step } from '../run/run-steps.ts';
import { resolveIds } from '../universe/resolve-references.ts';
import { esiAuth } from './access-token.ts';
import { isOfOneLogin } from './with-access.ts';

const ROUTE = '/universe/structures/{structure_id}';

/**
 * Denials in one run. Each is one of the 100 errors a minute that ESI allows this IP address for all routes, and too many
 * may cause a ban. The rest is requested by the next run, a quarter of an hour later.
 */
const MAX_DENIALS = 10;

/** Structures requested in one run. */
const MAX_STRUCTURES = 200;

/** A structure rarely changes its name or owner, so it is requested again after this time. */
const STALE_AFTER = 7 * DAY;

const structureData = z.object({
  name: z.string(),
  owner_id: z.int().positive(),
  solar_system_id: z.int().positive(),
  type_id: z.int().positive().optional(),
  position: position.optional(),
});

/**
 * Collects structures that live data refers to, each with a character that may have access. A denial is recorded for the
 * character and the structure, and the request is repeated less and less often; the placeholder remains meanwhile.
 */
export async function collectStructures(
  engine: EngineContext,
  key: RunKey,
  step: StepContext,
): Promise<Step> {
  const { pool } = engine.db;
  const opened = await openProcedureRun(engine, key);
  if ('closed' in opened) return opened.closed;
  const { run } = opened;
  const started = engine.clock.now();
  const wanted = engine.sso
    ? await readWantedStructures(
        pool,
        factOf(ROUTE).scope!,
        new Date(started),
        new Date(started - STALE_AFTER),
        MAX_STRUCTURES,
      )
    : [];
  const counts = { found: 0, denied: 0 };
  for (const structure of wanted) {
    if (counts.denied >= MAX_DENIALS) break;
    step.heartbeat?.({ structure: structure.structureId });
    await fetchStructure(engine, structure, run, counts, step);
  }
  const lastModified = new Date(engine.clock.now());
  const rows = counts.found;
  const published = { runId: run.runId, lastModified, pages: 1, rows: await countKnownStructures(pool) };
  await writePublishedSnapshot(pool, run, published, lastModified);
  const unnamed = await countPlaceholderStructures(pool);
  return closeProcedureRun(engine, run, {
    outcome: rows > 0 ? 'published' : 'unchanged',
    changed: rows,
    rows,
    lastModified,
    detail:
      unnamed > 0
        ? `${unnamed.toLocaleString('en')} structures have no name, because no character has access to them`
        : undefined,
  });
}

/** Requests a structure with one character after another until one has access. */
async function fetchStructure(
  engine: EngineContext,
  { structureId, characterIds }: WantedStructure,
  run: RunRef,
  counts: { found: number; denied: number },
  step: StepContext,
): Promise<void> {
  const { pool } = engine.db;
  const subject = `structure/${structureId}`;
  const now = () => new Date(engine.clock.now());
  for (const characterId of characterIds) {
    if (counts.denied >= MAX_DENIALS) return;
    try {
      const params = { structure_id: structureId };
      const auth = esiAuth(engine, characterId, step);
      const { json, requests } = await engine.esi.get({ route: ROUTE, params, auth, ...step });
      await countRequests(pool, run.runId, requests);
      await storeStructure(engine, structureId, parseRowOrThrow(structureData, json), step);
      await clearDenial(pool, characterId, subject);
      counts.found++;
      return;
    } catch (error) {
      step.signal?.throwIfAborted();
      if (error instanceof z.ZodError) break;
      if (isOfOneLogin(error)) continue; // the login was lost meanwhile
      if (!(error instanceof EsiError) || error.verdict === 'wait') throw error;
      await countRequests(pool, run.runId, error.requests);
      if (error.verdict !== 'fail') break;
      counts.denied++;
      if (mayDenyTemporarily(engine.clock.now())) return;
      const reason = `ESI denied access (${error.status})`;
      await recordDenial(pool, { characterId, subject, reason }, now());
    }
  }
  await touchStructure(pool, structureId, now());
}

/** Stores a structure, with its system and type where these are unknown. */
async function storeStructure(
  engine: EngineContext,
  structureId: ExactInt,
  data: z.infer<typeof structureData>,
  step: StepContext,
): Promise<void> {
  const { pool } = engine.db;
  const { solar_system_id: systemId, type_id: typeId } = data;
  if ((await readRowState(pool, 'systems', systemId)) === 'missing')
    await resolveIds(engine, 'systems', [systemId], step);
  if (typeId !== undefined && (await readRowState(pool, 'types', typeId)) === 'missing')
    await resolveIds(engine, 'types', [typeId], step);
  const structure = {
    structureId,
    name: stripUnstorable(data.name),
    ownerId: data.owner_id,
    systemId,
    typeId,
    position: data.position,
  };
  await writeStructure(pool, structure, new Date(engine.clock.now()));
}
