import { randomUUID } from 'node:crypto';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { engineSteps } from './engine-steps.ts';
import { driveRun } from './run-driver.ts';
import type { RunSummary } from './run-steps.ts';

/** One run in this process, without Temporal: the same driver and the same steps as the workflow `collect`. */
export function collectTarget(
  engine: EngineContext,
  { collector, target }: { readonly collector: string; readonly target: string },
  step: StepContext = {},
): Promise<RunSummary> {
  const key = { collector, target, workflowId: `${collector}/${target}`, workflowRunId: randomUUID() };
  return driveRun({
    steps: engineSteps(engine, key, step),
    now: () => engine.clock.now(),
    sleep: (ms) => engine.clock.sleep(ms, step.signal),
    maxWait: 0,
    show: () => undefined,
  });
}
