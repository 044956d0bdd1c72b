import { walOf } from './databases.ts';
import type { Collect } from './run-paths.ts';
import { timed } from './report.ts';
import type { BenchServers } from './bench-servers.ts';

/** The cost and the result of a run. */
export interface MeasuredRun {
  readonly seconds: number;
  /** Bytes of write-ahead log. */
  readonly wal: number;
  readonly inserted: number;
  readonly changed: number;
  readonly removed: number;
}

/** The rows that a run wrote or removed. */
export const rowsTouched = ({
  inserted,
  changed,
  removed,
}: Pick<MeasuredRun, 'inserted' | 'changed' | 'removed'>) => inserted + changed + removed;

/** Measures one run of a target. Throws unless it published or nothing changed. */
export async function measureRun(
  servers: BenchServers,
  collect: Collect,
  target: string,
): Promise<MeasuredRun> {
  const { wal, result } = await walOf(servers, () => timed(() => collect(target)));
  const { outcome, inserted = 0, changed = 0, removed = 0, detail = '' } = result.result;
  if (outcome !== 'published' && outcome !== 'unchanged')
    throw new Error(`a run ended as ${outcome} ${detail}`);
  return { seconds: result.seconds, wal, inserted, changed, removed };
}
