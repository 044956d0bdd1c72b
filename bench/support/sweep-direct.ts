import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { engineSteps } from '../../src/engine/collect-target.ts';
import { LANES, type RunSummary, type Step } from '../../src/engine/steps.ts';
import { benchEngine } from './engine.ts';
import { timed } from './report.ts';
import type { Sweep, SweepOrder } from './sweep.ts';

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

async function inLanes<T>(items: readonly T[], lanes: number, work: (item: T) => Promise<unknown>) {
  const queue = [...items];
  const lane = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, queue.length) }, lane));
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
      await inLanes(step.chunks, LANES, (chunk) => slot(() => steps.readChunk(run, chunk)));
    else await slot(() => steps.resolve(run));
    step = await steps.publish(run, false);
  }
}

async function sweep(order: SweepOrder): Promise<Sweep> {
  const engine = benchEngine(order);
  const steps = engineSteps(engine.ports);
  const slot = limiter(ESI_SLOTS);
  const outcomes: Record<string, number> = {};
  let rows = 0;
  const { seconds } = await timed(() =>
    inLanes(order.targets, TARGETS, async (target) => {
      const { outcome, inserted = 0 } = await collect(steps, slot, target);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      rows += inserted;
    }),
  );
  await engine.close();
  return { seconds, peakMb: await peakMemory(), targets: order.targets.length, rows, outcomes };
}

/** The kernel's own mark of the highest resident memory. */
async function peakMemory(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

process.once('message', (order: SweepOrder) => {
  void sweep(order).then(
    (result) => process.send!(result, () => process.disconnect()),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
