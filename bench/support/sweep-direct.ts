import { randomUUID } from 'node:crypto';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import { engineSteps } from '../../src/engine/run/engine-steps.ts';
import { driveRun } from '../../src/engine/run/run-driver.ts';
import type { RunSummary } from '../../src/engine/run/run-steps.ts';
import { mapConcurrent } from '../../src/lib/concurrency.ts';

/** Targets at once, as the workflow `collect` has them. */
const TARGETS = 50;
/** `esi` activities at once in a worker. */
const ESI_SLOTS = 10;

/** At most `slots` at once; the others wait in line. */
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

/** One run as the workflow `collect` drives it, with the slots of a worker in Temporal's place. */
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

/** All targets without Temporal, as many at once as a worker has. Returns how often each outcome came. */
export async function sweepDirect(
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
