/** What the steps of a run take and give. Plain data: it crosses Temporal, so rows and secrets have no place in it. */

export interface RunRef {
  readonly collector: string;
  /** `region/10000002`, or empty. */
  readonly target: string;
  /** Of a collector that reads several routes for a target: which. */
  readonly part?: string;
  readonly runId: number;
}

/** Pages `from` to `to`, both included. */
export interface Chunk {
  readonly from: number;
  readonly to: number;
}

export interface RunSummary {
  /** `resting`: nobody may ask for it now; `detail` says what is missing. */
  readonly outcome: 'published' | 'unchanged' | 'torn' | 'refused' | 'failed' | 'not-due' | 'resting';
  readonly runId?: number;
  readonly inserted?: number;
  readonly changed?: number;
  readonly removed?: number;
  readonly detail?: string;
}

export type Step =
  | { readonly state: 'done'; readonly summary: RunSummary }
  /** Nothing may be asked before `until` (ms since the epoch). */
  | { readonly state: 'wait'; readonly until: number; readonly why: string }
  | {
      readonly state: 'read';
      readonly runId: number;
      readonly part?: string;
      readonly pages: number;
      readonly chunks: readonly Chunk[];
      /** ms since the epoch: reading before would give a torn set, or the same torn set again. */
      readonly notBefore?: number;
    }
  /** Rows name unknown ids, or other routes have more to say of them: resolve, then publish. */
  | { readonly state: 'resolve'; readonly runId: number; readonly part?: string }
  /** A procedure has done a part: call it again. */
  | {
      readonly state: 'more';
      readonly runId: number;
      readonly done: number;
      readonly total: number;
      readonly detail?: string;
    };

/**
 * Pages of a chunk: at the ceiling of 300 requests a minute a chunk of 20 lasts 4 s alone and some 20 s beside others,
 * and a market sweep of 1,700 pages makes 85 activities instead of 1,700.
 */
export const CHUNK = 20;

/** A set that is still torn at the third reading is published as far as it was seen. */
export const MAX_ATTEMPTS = 3;

/** Chunks at once: two fill the client's twenty connections, the third keeps them full while one is written. */
export const LANES = 3;

/** The chunks that hold the given pages. */
export function chunksOf(pages: readonly number[]): Chunk[] {
  const chunks: Chunk[] = [];
  for (const page of pages.toSorted((a, b) => a - b)) {
    const last = chunks.at(-1);
    if (last && page <= last.to) continue;
    if (last && page === last.to + 1 && page - last.from < CHUNK)
      chunks[chunks.length - 1] = { ...last, to: page };
    else chunks.push({ from: page, to: page });
  }
  return chunks;
}
