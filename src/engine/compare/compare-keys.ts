import type { Comparison } from '../../store/sets/publish-plan.ts';
import { type PageRecord, readPageKeys } from '../../store/sets/stage.ts';
import type { RunContext } from '../run/run-context.ts';
import { KeyList } from './key-list.ts';

/** What the keys of the staged pages say, compared with those of the published snapshot. */
export interface KeyComparison {
  /** Undefined where nothing is published. */
  readonly compared: Comparison | undefined;
  /** Rows whose key another row has too. */
  readonly repeated: number;
}

/** Milliseconds of work after which other work has its turn. */
const SLICE = 20;

/** Compares the keys of the pages of a run, those of pages that answered 304 included, with the published rows. */
export async function compareKeys(
  { engine, spec, run, previous }: RunContext,
  pages: readonly PageRecord[],
): Promise<KeyComparison> {
  // Nothing is gone, so that nothing has to be read.
  if (previous && pages.length === previous.pages && pages.every((page) => page.notModified))
    return {
      compared: { publishedRun: previous.runId, publishedRows: previous.rows, absent: [] },
      repeated: 0,
    };
  const published = await engine.snapshots.read(spec, previous);
  const ticks = published?.tickOff();
  const unknown = new KeyList();
  let sliceStart = performance.now();
  for (const keys of await readPageKeys(engine.db.pool, run.runId, published?.runId ?? 0)) {
    const list = KeyList.decode(keys);
    if (ticks) ticks.see(list, unknown);
    else for (let i = 0; i < list.size; i++) unknown.addWords(list.low(i), list.high(i));
    if (performance.now() - sliceStart < SLICE) continue;
    await new Promise(setImmediate);
    sliceStart = performance.now();
  }
  return {
    compared: published && {
      publishedRun: published.runId,
      publishedRows: published.size,
      absent: ticks?.absent() ?? [],
    },
    repeated: (ticks?.repeated() ?? 0) + unknown.countRepeated(),
  };
}
