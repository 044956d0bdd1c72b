import { driveRun } from '../../src/engine/run/run-driver.ts';
import type { RunRef, RunSteps, RunSummary, Step } from '../../src/engine/run/run-steps.ts';

/** Drives a run by the driver of production. It does not wait, and leaves a failed run open, as a killed process does. */
export function drive(steps: RunSteps): Promise<RunSummary> {
  return driveRun({
    steps: { ...steps, close: () => Promise.resolve() },
    now: () => 0,
    sleep: () => Promise.resolve(),
    maxWait: 0,
    show: () => undefined,
  });
}

class StepReached extends Error {
  readonly run: RunRef | undefined;
  constructor(run: RunRef | undefined) {
    super('the requested step is reached');
    this.run = run;
  }
}

/** Drives a run until a step is due and returns the run. `continue` stops after the first resource is published. */
export async function driveUntil(steps: RunSteps, due: 'enrich' | 'publish' | 'continue'): Promise<RunRef> {
  const stop = (run: RunRef) => Promise.reject(new StepReached(run));
  const publish = async (run: RunRef, isLastAttempt: boolean): Promise<Step> => {
    const step = await steps.publish(run, isLastAttempt);
    return due === 'continue' && step.state === 'continue' ? stop(run) : step;
  };
  try {
    await drive({
      ...steps,
      ...(due === 'enrich' ? { enrich: stop } : {}),
      publish: due === 'publish' ? stop : publish,
    });
  } catch (error) {
    if (error instanceof StepReached && error.run) return error.run;
    throw error;
  }
  throw new Error(`the run ended before "${due}"`);
}

/** Returns the step if pages are to be read. Throws otherwise. */
export function assertRead(step: Step): Step & { state: 'read' } {
  if (step.state !== 'read') throw new Error(`the step is "${step.state}"`);
  return step;
}
