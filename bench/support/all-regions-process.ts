import { monitorEventLoopDelay } from 'node:perf_hooks';
import { answerParent, peakMemory } from './measured-process.ts';
import { type BenchClock, benchClock, type BenchEngine, benchEngine } from './bench-engine.ts';
import { execute, withWorkers } from './run-paths.ts';
import { timed } from './report.ts';
import { collectAllRegions } from './collect-all-regions.ts';
import {
  type AllRegionsInput,
  nextSnapshots,
  type ProcessResult,
  type Sweep,
} from './measure-all-regions.ts';

/** Sweeps after the first load. */
const STEADY_SWEEPS = 5;

/** Collects all regions in the process whose memory is measured: a first load, then sweeps as every five minutes. */
async function measure(input: AllRegionsInput): Promise<ProcessResult> {
  const clock = benchClock();
  const engine = benchEngine({ ...input, clock });
  const run = (collect: () => Promise<unknown>) => measureSweeps(engine, clock, input, collect);
  try {
    if (input.temporal !== undefined)
      return await withWorkers(input.temporal, engine.context, (client) =>
        run(() => execute(client, 'market-orders', undefined)),
      );
    const targets = input.regions.map((id) => `region/${id}`);
    return await run(() => collectAllRegions(engine.context, targets));
  } finally {
    await engine.close();
  }
}

async function measureSweeps(
  engine: BenchEngine,
  clock: BenchClock,
  input: AllRegionsInput,
  collect: () => Promise<unknown>,
): Promise<ProcessResult> {
  const first = await measureSweep(engine, collect);
  const steady: Sweep[] = [];
  for (let n = 0; n < STEADY_SWEEPS; n++) {
    await nextSnapshots(input, clock);
    steady.push(await measureSweep(engine, collect));
  }
  return { first, steady, peakMb: await peakMemory() };
}

async function measureSweep({ context }: BenchEngine, collect: () => Promise<unknown>): Promise<Sweep> {
  const touched = async () => {
    const { rows } = await context.db.pool.query<{ rows: number }>(
      'SELECT coalesce(sum(rows_inserted + rows_changed + rows_removed), 0)::bigint AS rows FROM collection_runs',
    );
    return rows[0]!.rows;
  };
  const before = await touched();
  const loop = monitorEventLoopDelay({ resolution: 5 });
  loop.enable();
  const cpuBefore = process.cpuUsage();
  const { seconds } = await timed(collect);
  const { user, system } = process.cpuUsage(cpuBefore);
  loop.disable();
  const cpu = (user + system) / 1e6;
  return { seconds, cpu, rows: (await touched()) - before, longestHold: loop.max / 1e6 };
}

answerParent(measure);
