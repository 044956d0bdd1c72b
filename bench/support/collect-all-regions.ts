import { randomUUID } from 'node:crypto';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import { engineSteps } from '../../src/engine/run/engine-steps.ts';
import { driveRun } from '../../src/engine/run/run-driver.ts';
import type { RunSummary } from '../../src/engine/run/run-steps.ts';
import { mapConcurrent } from '../../src/lib/concurrency.ts';

/** Targets at the same time, as in the workflow `collect`. */
const TARGETS = 50;
/** `esi` activities at the same time in a worker. */
const ESI_SLOTS = 10;

/** Runs at most `slots` pieces of work at the same time; the others are queued. */
function limiter(slots: number) {
  const waiting: (() => void)[] = [];
  let free = slots;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}

/** Makes one run as the workflow `collect` drives it, with the slots of a worker but without Temporal. */
function collect(
  context: EngineContext,
  slot: ReturnType<typeof limiter>,
  target: string,
): Promise<RunSummary> {
  const collector = 'market-orders';
  const key = { collector, target, workflowId: `${collector}/${target}`, workflowRunId: randomUUID() };
  const steps = engineSteps(context, key);
  return driveRun({
    steps: {
      ...steps,
      begin: () => slot(() => steps.begin()),
      readChunk: (run, chunk) => slot(() => steps.readChunk(run, chunk)),
      enrich: (run) => slot(() => steps.enrich(run)),
    },
    now: () => context.clock.now(),
    sleep: (ms) => context.clock.sleep(ms),
    maxWait: 0,
    show: () => undefined,
  });
}

/** Collects all targets without Temporal. Returns the number of runs by outcome. */
export async function collectAllRegions(
  context: EngineContext,
  targets: readonly string[],
): Promise<Record<string, number>> {
  const slot = limiter(ESI_SLOTS);
  const outcomes: Record<string, number> = {};
  await mapConcurrent(targets, TARGETS, async (target) => {
    const { outcome } = await collect(context, slot, target);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  });
  return outcomes;
}
