import { inSlices } from '../../lib/turns.ts';
import type { Comparison, RepeatedRows } from '../../store/sets/publish-plan.ts';
import { countStagedRows, type PageRecord, type PageKeys, readPageKeys } from '../../store/sets/stage.ts';
import type { RunContext } from '../run/run-context.ts';
import { KeyList } from './key-list.ts';

/** What the keys of the staged pages say, compared with those of the published snapshot. */
export interface KeyComparison {
  /** Undefined where nothing is published. */
  readonly compared: Comparison | undefined;
  readonly repeated: RepeatedRows;
  /** Rows of one key that differ. */
  readonly conflicts: number;
}

const NONE_REPEATED: RepeatedRows = { unchanged: 0, isStaged: false, superseded: [] };

/** Compares the keys of the pages of a run, those of pages that answered 304 included, with the published rows. */
export async function compareKeys(context: RunContext, pages: readonly PageRecord[]): Promise<KeyComparison> {
  const { engine, spec, run, previous } = context;
  // Nothing is gone, so that nothing has to be read.
  if (previous && pages.length === previous.pages && pages.every((page) => page.notModified)) {
    const compared = { publishedRun: previous.runId, publishedRows: previous.rows, absent: [] };
    return { compared, repeated: NONE_REPEATED, conflicts: 0 };
  }
  const published = await engine.snapshots.read(spec, previous);
  const publishedRun = published?.runId ?? 0;
  const ticks = published?.tickOff();
  const unknown = new KeyList();
  const pageKeys = await readPageKeys(engine.db.pool, run.runId, publishedRun);
  await inSlices(pageKeys, ({ keys }) => {
    const list = KeyList.decode(keys);
    if (ticks) ticks.see(list, unknown);
    else for (let i = 0; i < list.size; i++) unknown.addWords(list.low(i), list.high(i));
  });
  // A concurrent run has published meanwhile, and the rows have changed under these ticks.
  if ((published?.runId ?? 0) !== publishedRun) return compareKeys(context, pages);
  const compared = published && {
    publishedRun,
    publishedRows: published.size,
    absent: ticks?.absent() ?? [],
  };
  const keys = [...(ticks?.repeated() ?? []), ...unknown.repeated()];
  if (keys.length === 0) return { compared, repeated: NONE_REPEATED, conflicts: 0 };
  return { compared, ...(await compareRepeated(context, pageKeys, new Set(keys))) };
}

/** Tells keys that came more than once by what their rows say: the same, or something else. */
async function compareRepeated(
  { engine, spec, run }: RunContext,
  pages: readonly PageKeys[],
  keys: ReadonlySet<bigint>,
): Promise<Pick<KeyComparison, 'repeated' | 'conflicts'>> {
  const counts = new Map<bigint, { rows: number; lastPage: number }>();
  await inSlices(pages, (page) => {
    for (const key of KeyList.decode(page.keys).values()) {
      if (!keys.has(key)) continue;
      counts.set(key, { rows: (counts.get(key)?.rows ?? 0) + 1, lastPage: page.page });
    }
  });
  const staged = await countStagedRows(engine.db.pool, spec, run.runId, [...keys]);
  let unchanged = 0;
  let conflicts = 0;
  const superseded: bigint[] = [];
  for (const [key, { rows, lastPage }] of counts) {
    const own = staged.get(key);
    const asPublished = rows - (own?.rows ?? 0);
    unchanged += own ? asPublished : asPublished - 1;
    if (own && (asPublished > 0 || own.versions > 1)) conflicts++;
    if (own && own.lastPage < lastPage) superseded.push(key);
  }
  return { repeated: { unchanged, isStaged: staged.size > 0, superseded }, conflicts };
}
