/** What the steps of a run take and return. It crosses Temporal, so it holds neither rows nor secrets. */

/** An open run of a resource. */
export interface RunRef {
  readonly collector: string;
  /** `region/10000002`, or empty. */
  readonly target: string;
  /** Which of the routes that the collector reads for the target; absent where it reads one. */
  readonly resource?: string;
  readonly runId: number;
}

/** The pages `from` to `to`, both included. */
export interface Chunk {
  readonly from: number;
  readonly to: number;
}

/** How a run ended. */
export interface RunSummary {
  /** `not-due`: ESI has nothing newer yet. `blocked`: nobody may request it now. `detail` gives the reason. */
  readonly outcome: 'published' | 'unchanged' | 'torn' | 'refused' | 'failed' | 'not-due' | 'blocked';
  readonly runId?: number;
  readonly inserted?: number;
  readonly changed?: number;
  readonly removed?: number;
  readonly detail?: string;
  /** Milliseconds since the epoch: when ESI has something newer. Only of `not-due`. */
  readonly nextUpdate?: number;
}

/** What comes next in a run. */
export type Step =
  | { readonly state: 'done'; readonly summary: RunSummary }
  /** Nothing may be requested before `until` (milliseconds since the epoch). */
  | { readonly state: 'wait'; readonly until: number }
  /** These pages are to be read, then the run is enriched and published. */
  | {
      readonly state: 'read';
      readonly run: RunRef;
      /** The number of pages of the snapshot. */
      readonly pages: number;
      readonly chunks: readonly Chunk[];
      /** Milliseconds since the epoch: reading before would give a torn snapshot, or the same torn one again. */
      readonly notBefore?: number;
    }
  /** The run is to be begun again, which continues it: a procedure or one resource has done a part of the work. */
  | { readonly state: 'continue'; readonly done?: number; readonly total?: number; readonly detail?: string };

/** The steps of one run. Each can be repeated, and can run twice at once without harm. */
export interface RunSteps {
  begin(): Promise<Step>;
  readChunk(run: RunRef, chunk: Chunk): Promise<unknown>;
  /** Fetches what the staged rows lack: unknown ids that they refer to, names, positions. */
  enrich(run: RunRef): Promise<unknown>;
  /** `isLastAttempt`: a snapshot that is torn now is published as far as it was seen. */
  publish(run: RunRef, isLastAttempt: boolean): Promise<Step>;
  /** Closes what the run left open as failed. */
  close(error: unknown): Promise<void>;
}
