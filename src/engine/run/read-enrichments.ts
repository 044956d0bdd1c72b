import { z } from 'zod';
import { parseRow } from '../../esi/facts/parse-row.ts';
import type { Enrichment } from '../../collectors/vocabulary.ts';
import { EsiError } from '../../esi/esi-error.ts';
import { id, position } from '../../esi/facts/bounds.ts';
import { allSettledOrThrow } from '../../lib/concurrency.ts';
import { AppError, describeError } from '../../lib/errors.ts';
import type { ExactInt } from '../../lib/exact-int.ts';
import { stripUnstorable } from '../../lib/text.ts';
import {
  type EnrichmentRow,
  isEnriched,
  openEnrichment,
  readRowsToEnrich,
  storeEnrichments,
} from '../../store/sets/enrichments.ts';
import { countRequests } from '../../store/sets/runs.ts';
import { readPageRecords } from '../../store/sets/stage.ts';
import { compareKeys } from '../compare/compare-keys.ts';
import { withAccess } from '../owners/with-access.ts';
import { splitOnBadRequest } from '../split-on-bad-request.ts';
import type { RunContext } from './run-context.ts';

/** Ids in one POST. */
const BATCH = 1_000;

/**
 * Refused POSTs in one step: they cost 500 of the 1,800 tokens that a character has for these routes in 15 minutes, and
 * find some ten bad ids. The other ids of a refused batch keep what is published; the next snapshot requests them again.
 */
const MAX_REFUSALS = 100;

/** POSTs at once; the client has a limit of its own. */
const CONCURRENCY = 5;

/** ESI's name of an item that has none. */
const NO_NAME = 'None';

const namedItem = z.object({ item_id: id, name: z.string().default(NO_NAME) });
const placedItem = z.object({
  item_id: id,
  position,
});

function nameRow(row: unknown): EnrichmentRow[] {
  const { data } = parseRow(namedItem, row);
  return data ? [{ id: data.item_id, name: data.name === NO_NAME ? null : stripUnstorable(data.name) }] : [];
}

function positionRow(row: unknown): EnrichmentRow[] {
  const { data } = parseRow(placedItem, row);
  if (!data) return [];
  const { x, y, z: depth } = data.position;
  // ESI places items in hangars at the origin.
  const isNowhere = x === 0 && y === 0 && depth === 0;
  const [position_x, position_y, position_z] = isNowhere ? [null, null, null] : [x, y, depth];
  return [{ id: data.item_id, position_x, position_y, position_z }];
}

/** The rows of an answer as columns. A row that cannot be read leaves its item unanswered. */
function parseRows(kind: Enrichment['kind'], json: unknown): EnrichmentRow[] {
  const rows = Array.isArray(json) ? (json as unknown[]) : [];
  return rows.flatMap(kind === 'name' ? nameRow : positionRow);
}

/**
 * Requests what other routes say of the staged rows, in batches, and stages it. A bad id costs its own answer alone;
 * unanswered ids keep what is published. Repeated, it requests what was not requested yet. Returns the attempt that can
 * be closed when that is all; undefined when nothing is to be requested.
 */
export async function readEnrichments(context: RunContext): Promise<string | undefined> {
  const { engine, spec, run } = context;
  const { pool } = engine.db;
  if (spec.enrichments.length === 0 || (await isEnriched(pool, run.runId))) return undefined;
  const { compared } = await compareKeys(context, await readPageRecords(pool, run.runId));
  const attempt = await openEnrichment(pool, run.runId);
  const refusals: RefusalCount = { left: MAX_REFUSALS };
  await allSettledOrThrow(
    spec.enrichments.map(async (enrichment) => {
      const ids = await readRowsToEnrich(pool, spec, enrichment, {
        runId: run.runId,
        absent: compared?.absent ?? [],
      });
      await requestAll(context, enrichment, ids, refusals);
    }),
  );
  return attempt;
}

/** Refused POSTs that may still be risked, shared by all batches of a step. */
interface RefusalCount {
  left: number;
}

/** Requests ids in batches, and stages each answer before the next request: an owner may have a hundred batches. */
async function requestAll(
  context: RunContext,
  enrichment: Enrichment,
  ids: readonly ExactInt[],
  refusals: RefusalCount,
): Promise<void> {
  const { engine, spec, run } = context;
  let next = 0;
  const requestNext = async () => {
    while (next < ids.length) {
      const batch = ids.slice(next, (next += BATCH));
      const rows = await requestBatch(context, enrichment, batch, refusals);
      const byId = new Map(rows.map((row) => [row.id, row]));
      await storeEnrichments(engine.db.pool, spec, run.runId, enrichment, {
        rows: batch.flatMap((id) => byId.get(id) ?? []),
        unanswered: batch.filter((id) => !byId.has(id)),
      });
    }
  };
  await allSettledOrThrow(Array.from({ length: CONCURRENCY }, requestNext));
}

async function requestBatch(
  { engine, spec, run, step }: RunContext,
  { route, kind }: Enrichment,
  batch: readonly ExactInt[],
  refusals: RefusalCount,
): Promise<EnrichmentRow[]> {
  let requests = 0;
  try {
    return await withAccess(engine, spec.parsedTarget, route, step, (auth) =>
      splitOnBadRequest(
        batch,
        async (ids) => {
          requests++;
          const params = Object.fromEntries(spec.targetColumns);
          const { json } = await engine.esi.post({ route, params, ids, auth, ...step });
          return parseRows(kind, json);
        },
        () => --refusals.left > 0,
      ),
    );
  } catch (error) {
    step.signal?.throwIfAborted();
    // A wait is passed on. Any other error concerns only some columns, and does not delay the snapshot.
    if (!(error instanceof AppError) || error.verdict === 'wait') throw error;
    if (!(error instanceof EsiError) && error.code !== 'NO_ACCESS') throw error;
    engine.log.warn(
      { ...run, route, error: describeError(error) },
      `the ${kind} of some rows could not be read; published values stay`,
    );
    return [];
  } finally {
    await countRequests(engine.db.pool, run.runId, requests);
  }
}
