import type { EngineContext } from '../../src/engine/engine-context.ts';
import { answerParent, peakMemory } from './child.ts';
import { benchEngine } from './engine.ts';
import { execute, withWorkers } from './paths.ts';
import { timed } from './report.ts';
import { sweepDirect } from './sweep-direct.ts';
import type { Sweep, SweepOrder } from './sweep.ts';

/** The process whose memory is measured: it gets its order from its parent. */
async function sweep(order: SweepOrder): Promise<Sweep> {
  const { temporal, regions } = order;
  const engine = benchEngine(order);
  const { seconds, result: outcomes } = await timed(() =>
    temporal === undefined
      ? sweepDirect(
          engine.context,
          regions.map((id) => `region/${id}`),
        )
      : sweepThrough(temporal, engine.context),
  );
  const { rows } = await engine.context.db.pool.query<{ rows: number }>(
    'SELECT count(*) AS rows FROM market_orders_public',
  );
  await engine.close();
  return { seconds, peakMb: await peakMemory(), regions: regions.length, rows: rows[0]!.rows, outcomes };
}

async function sweepThrough(address: string, context: EngineContext): Promise<Record<string, number>> {
  const summary = await withWorkers(address, context, (client) =>
    execute(client, 'market-orders', undefined),
  );
  return (summary as { outcomes: Record<string, number> }).outcomes;
}

answerParent(sweep);
