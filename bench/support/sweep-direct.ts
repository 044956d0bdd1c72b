import { randomUUID } from 'node:crypto';
import { engineSteps } from '../../src/engine/run/collect-target.ts';
import { LANES, type RunSummary, type Step } from '../../src/engine/run/run-steps.ts';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import { mapConcurrent } from '../../src/temporal/workflows/lanes.ts';

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

/** The steps of the workflow `collect`, with the slots of a worker in Temporal's place. */
async function collect(
  steps: ReturnType<typeof engineSteps>,
  slot: ReturnType<typeof limiter>,
  target: string,
): Promise<RunSummary> {
  const collector = 'market-orders';
  const key = { collector, target, workflowId: `${collector}/${target}`, workflowRunId: randomUUID() };
  let step: Step = await slot(() => steps.begin(key));
  for (;;) {
    if (step.state === 'done') return step.summary;
    if (step.state !== 'read' && step.state !== 'resolve') throw new Error(`${target}: ${step.state}`);
    const run = { collector, target, runId: step.runId };
    if (step.state === 'read')
      await mapConcurrent(step.chunks, LANES, (chunk) => slot(() => steps.readChunk(run, chunk)));
    else await slot(() => steps.resolve(run));
    step = await steps.publish(run, false);
  }
}

/** All targets without Temporal, as many at once as a worker has. Returns how often each outcome came. */
export async function sweepDirect(context: EngineContext, targets: readonly string[]): Promise<Record<string, number>> {
  const steps = engineSteps(context);
  const slot = limiter(ESI_SLOTS);
  const outcomes: Record<string, number> = {};
  await mapConcurrent(targets, TARGETS, async (target) => {
    const { outcome } = await collect(steps, slot, target);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  });
  return outcomes;
}
