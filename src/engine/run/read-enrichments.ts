import { z } from 'zod';
import type { AnyResource } from '../../collectors/define.ts';
import { EsiError } from '../../esi/esi-error.ts';
import { AppError, describeError } from '../../lib/errors.ts';
import { stripUnstorable } from '../../lib/text.ts';
import { allSettledOrThrow } from '../../lib/concurrency.ts';
import type { Enrichment } from '../../collectors/vocabulary.ts';
import { type EnrichmentRow, isEnriched, storeEnrichments, openEnrichment, readRowsToEnrich } from '../../store/sets/enrichments.ts';
import { readPublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import { countRequests } from '../../store/sets/runs.ts';
import type { SnapshotSpec } from '../../store/sets/snapshot-spec.ts';
import { splitOnBadRequest } from '../split-on-bad-request.ts';
import { withAccess } from '../owners/with-access.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { snapshotSpec } from './resources.ts';
import type { RunRef } from './run-steps.ts';

/** Ids in one POST. */
const BATCH = 1_000;

/**
 * Refused POSTs in one step: they take 500 of the 1,800 tokens that a character has for these routes in a quarter of an
 * hour, and find some ten bad ids. Of what else stands in a refused batch, what is known stays; the next set is asked anew.
 */
const MOST_REFUSALS = 100;

/** POSTs at once; the client has a ceiling of its own. */
const LANES = 5;

const named = z.object({ item_id: z.int().positive(), name: z.string() });
const placed = z.object({
  item_id: z.int().positive(),
  position: z.object({ x: z.number(), y: z.number(), z: z.number() }),
});

/** What ESI says of items without a name, and of items in hangars. */
const NO_NAME = 'None';
const isNowhere = ({ x, y, z: depth }: { x: number; y: number; z: number }) =>
  x === 0 && y === 0 && depth === 0;
const nameOf = (told: string) => (told === NO_NAME ? null : stripUnstorable(told));

/** Rows of an answer as columns; what cannot be read says nothing of its item. */
function understand(fills: Enrichment['fills'], json: unknown): EnrichmentRow[] {
  const rows = Array.isArray(json) ? (json as unknown[]) : [];
  return rows.flatMap((row): EnrichmentRow[] => {
    if (fills === 'name') {
      const { data } = named.safeParse(row);
      return data ? [{ id: data.item_id, name: nameOf(data.name) }] : [];
    }
    const { data } = placed.safeParse(row);
    if (!data) return [];
    const { x, y, z: depth } = data.position;
    const position = isNowhere(data.position)
      ? { position_x: null, position_y: null, position_z: null }
      : { position_x: x, position_y: y, position_z: depth };
    return [{ id: data.item_id, ...position }];
  });
}

/**
 * Step of a run whose rows have columns that other routes fill: asks for them in batches and keeps what was told until
 * the set is published. An id that ESI does not like costs its own answer alone; where nothing is answered, what was
 * known stays. Repeated, it asks for what has not been asked yet. Gives the reading that can be closed when that is all;
 * undefined: nothing is to be asked.
 */
export async function readEnrichments(
  engine: EngineContext,
  set: AnyResource,
  run: RunRef,
  context: StepContext,
): Promise<string | undefined> {
  const spec = snapshotSpec(set, run);
  if (spec.details.length === 0 || (await isEnriched(engine.db.pool, run.runId))) return undefined;
  const previous = await readPublishedSnapshot(engine.db.pool, run);
  const runs = { runId: run.runId, previousRun: previous?.runId };
  const reading = await openEnrichment(engine.db.pool, run.runId);
  let refusals = 0;
  const asking: Asking = { engine, spec, run, context, goOn: () => ++refusals < MOST_REFUSALS };
  await allSettledOrThrow(
    spec.details.map(async (detail) =>
      askAll(asking, detail, await readRowsToEnrich(engine.db.pool, spec, detail, runs)),
    ),
  );
  return reading;
}

/** What it takes to ask for the rows of a run; `goOn`: whether another refusal may be risked. */
interface Asking {
  readonly engine: EngineContext;
  readonly spec: SnapshotSpec;
  readonly run: RunRef;
  readonly context: StepContext;
  readonly goOn: () => boolean;
}

/** Asks in batches, and keeps each one's answer before the next is asked: an owner may have a hundred of them. */
async function askAll(asking: Asking, detail: Enrichment, ids: readonly number[]): Promise<void> {
  const { engine, spec, run } = asking;
  let next = 0;
  const lane = async () => {
    while (next < ids.length) {
      const asked = ids.slice(next, (next += BATCH));
      const rows = await askBatch(asking, detail, asked);
      const told = new Map(rows.map((row) => [row.id, row]));
      await storeEnrichments(engine.db.pool, spec, run.runId, detail, {
        told: asked.flatMap((id) => told.get(id) ?? []),
        silent: asked.filter((id) => !told.has(id)),
      });
    }
  };
  await allSettledOrThrow(Array.from({ length: LANES }, lane));
}

async function askBatch(
  { engine, spec, run, context, goOn }: Asking,
  { route, fills }: Enrichment,
  batch: readonly number[],
): Promise<EnrichmentRow[]> {
  let requests = 0;
  try {
    return await withAccess(engine, spec.targetId, route, context, (auth) =>
      splitOnBadRequest(
        batch,
        async (ids) => {
          requests++;
          const params = Object.fromEntries(spec.own);
          return understand(fills, (await engine.esi.post({ route, params, ids, auth, ...context })).json);
        },
        goOn,
      ),
    );
  } catch (error) {
    context.signal?.throwIfAborted();
    // To wait is to wait; but a set is not held up by what is only said of some of its rows.
    if (!(error instanceof AppError) || error.verdict === 'wait') throw error;
    if (!(error instanceof EsiError) && error.code !== 'NO_ACCESS') throw error;
    engine.log.warn({ ...run, route, error: describeError(error) }, 'what is known of some rows stays');
    return [];
  } finally {
    await countRequests(engine.db.pool, run.runId, requests);
  }
}
