import { readPageKeys } from '../../store/sets/stage.ts';
import type { RunContext } from '../run/run-context.ts';
import { KeyList } from './key-list.ts';
import type { PublishedRows } from './published-rows.ts';

/** What the keys of the staged pages say, compared with those of the published snapshot. */
export interface KeyComparison {
  /** The published snapshot; undefined where there is none. */
  readonly published: PublishedRows | undefined;
  /** Keys of published rows that no staged page shows. */
  readonly absent: readonly bigint[];
  /** Rows whose key another row has too. */
  readonly repeated: number;
}

/** Milliseconds of work after which other work has its turn. */
const SLICE = 20;

/** Compares the keys of the pages of a run, those of pages that answered 304 included, with the published rows. */
export async function compareKeys({ engine, spec, run, previous }: RunContext): Promise<KeyComparison> {
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
    published,
    absent: ticks?.absent() ?? [],
    repeated: (ticks?.repeated() ?? 0) + unknown.countRepeated(),
  };
}
