import type { EngineContext } from '../../src/engine/engine-context.ts';
import { answerParent, peakMemory } from './measured-process.ts';
import { benchEngine } from './bench-engine.ts';
import { execute, withWorkers } from './run-paths.ts';
import { timed } from './report.ts';
import { collectAllRegions } from './collect-all-regions.ts';
import type { AllRegions, AllRegionsInput } from './measure-all-regions.ts';

/** Collects all regions in the process whose memory is measured. */
async function measure(input: AllRegionsInput): Promise<AllRegions> {
  const { temporal, regions } = input;
  const engine = benchEngine(input);
  const { seconds, result: outcomes } = await timed(() =>
    temporal === undefined
      ? collectAllRegions(
          engine.context,
          regions.map((id) => `region/${id}`),
        )
      : collectThroughTemporal(temporal, engine.context),
  );
  const { rows } = await engine.context.db.pool.query<{ rows: number }>(
    'SELECT count(*) AS rows FROM market_orders_public',
  );
  await engine.close();
  return { seconds, peakMb: await peakMemory(), regions: regions.length, rows: rows[0]!.rows, outcomes };
}

async function collectThroughTemporal(
  address: string,
  context: EngineContext,
): Promise<Record<string, number>> {
  const summary = await withWorkers(address, context, (client) =>
    execute(client, 'market-orders', undefined),
  );
  return (summary as { outcomes: Record<string, number> }).outcomes;
}

answerParent(measure);
