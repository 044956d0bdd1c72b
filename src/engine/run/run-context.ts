import type { AnyResource } from '../../collectors/define.ts';
import { type PublishedSnapshot, readPublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import type { SnapshotSpec } from '../../store/sets/snapshot-spec.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { findResource, snapshotSpec } from './resources.ts';
import type { RunRef } from './run-steps.ts';

/** A run as a step works with it. It is made once per step, at the edge of the engine, and handed on. */
export interface RunContext {
  readonly engine: EngineContext;
  readonly step: StepContext;
  readonly run: RunRef;
  readonly resource: AnyResource;
  readonly spec: SnapshotSpec;
  /** The published snapshot of the target, when the step began. */
  readonly previous: PublishedSnapshot | undefined;
}

/** The context of a run that is open. Throws AppError UNKNOWN_COLLECTOR and BAD_TARGET. */
export async function loadRunContext(
  engine: EngineContext,
  run: RunRef,
  step: StepContext,
): Promise<RunContext> {
  const resource = findResource(run);
  const previous = await readPublishedSnapshot(engine.db.pool, run);
  return { engine, step, run, resource, spec: snapshotSpec(resource, run), previous };
}
