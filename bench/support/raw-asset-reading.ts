import { assets } from '../../src/collectors/assets.ts';
import { resourcesOf, snapshotSpec } from '../../src/engine/run/resources.ts';
import type { Database } from '../../src/store/database.ts';
import { copyInto, encodeRows } from '../../src/store/copy.ts';
import { readRowsToEnrich } from '../../src/store/sets/enrichments.ts';
import { stageTable } from '../../src/store/sets/snapshot-spec.ts';
import { createStage, dropStage } from '../../src/store/sets/stage.ts';
import { assetsUrl, pagesOf, targetOf } from './asset-owner.ts';
import type { BenchSimulator } from './bench-servers.ts';
import type { Raw } from './measure-rounds.ts';
import { type BenchRequest, measureRaw, readRows, type Row } from './raw-reading.ts';

/** Ids in one POST, as many as ESI accepts. */
const IDS = 1_000;

/** A run id that no run has. */
const NO_RUN = 0;

const TARGET = targetOf('character');
const SPEC = snapshotSpec(resourcesOf(assets.resources, TARGET)[0]!.resource, {
  collector: assets.name,
  target: TARGET,
});

/**
 * Measures reading all pages, then requesting the names and positions of what can have them, both with 20 connections.
 * Finding out what can have a name is left out.
 */
export async function measureRawAssets(db: Database, simulator: BenchSimulator): Promise<Raw> {
  const pages = await pagesOf(simulator, 'character');
  const rows = await readRows(pages);
  const requests = await enrichmentRequests(db, simulator, rows, pages[0]!.accessToken);
  return measureRaw(async () => {
    await readRows(pages);
    await readRows(requests);
  });
}

/** The POST requests that the product makes for these rows, found by its own query of its staging table. */
async function enrichmentRequests(
  db: Database,
  simulator: BenchSimulator,
  rows: readonly Row[],
  accessToken: string | undefined,
): Promise<BenchRequest[]> {
  const columns = [...SPEC.columns, 'page', 'rejected'];
  await createStage(db.pool, SPEC, NO_RUN);
  const staged = encodeRows(SPEC.columns, rows, '\t1\tf');
  await db.transaction((client) => copyInto(client, stageTable(NO_RUN), columns, [staged]));
  const requests: BenchRequest[] = [];
  for (const enrichment of SPEC.enrichments) {
    const wanted = await readRowsToEnrich(db.pool, SPEC, enrichment, { runId: NO_RUN, absent: [] });
    const ids = wanted.map(Number); // those of the simulated ESI are small
    const url = assetsUrl(simulator.url, 'character', enrichment.kind === 'name' ? '/names' : '/locations');
    for (let i = 0; i < ids.length; i += IDS)
      requests.push({
        url,
        ids: ids.slice(i, i + IDS),
        ...(accessToken === undefined ? {} : { accessToken }),
      });
  }
  await dropStage(db.pool, NO_RUN);
  return requests;
}
