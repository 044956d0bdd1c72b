import cliProgress from 'cli-progress';
import { escapeInvisible } from '../lib/text.ts';
import type { RunProgress } from '../store/sets/run-progress.ts';
import { printError } from './process-io.ts';

/** Twice a second looks smooth and is no load for the database (ms). */
const REFRESH_INTERVAL = 500;

/** What the progress of runs is read from. */
export interface ProgressSources {
  readProgress(): Promise<readonly RunProgress[]>;
  /** Why runs wait, in sentences; empty where none does. */
  readWaits(): Promise<readonly string[]>;
  /** Reasons that were told before. */
  readonly said: readonly string[];
  /** Whether bars are wanted, where stderr is a terminal. */
  readonly showBars: boolean;
}

/** Says on stderr why runs wait, each reason once, and shows a bar for each open run when that is a terminal. */
export function showProgress(sources: ProgressSources): { stop(): void } {
  const bars = sources.showBars && process.stderr.isTTY ? createBars() : undefined;
  const said = new Set(sources.said);
  const refresh = async () => {
    const waits = await sources.readWaits();
    for (const wait of waits) {
      if (said.has(wait)) continue;
      said.add(wait);
      if (!bars?.log(wait)) printError(wait);
    }
    bars?.update(await sources.readProgress(), waits[0]);
  };
  let isBusy = false; // a slow server gets no second question before it has answered the first
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    void refresh()
      .catch(() => undefined)
      .finally(() => (isBusy = false));
  }, REFRESH_INTERVAL);
  return {
    stop() {
      clearInterval(timer);
      bars?.stop();
    },
  };
}

function createBars() {
  const multiBar = new cliProgress.MultiBar(
    {
      format: '{target} [{bar}] {value} of {total}, {eta_formatted} left{wait}',
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
    },
    cliProgress.Presets.rect,
  );
  const bars = new Map<string, cliProgress.SingleBar>();
  return {
    /** Writes a line above the bars. False where there is none yet. */
    log(line: string): boolean {
      if (bars.size > 0) multiBar.log(`${escapeInvisible(line)}\n`);
      return bars.size > 0;
    },
    update(runs: readonly RunProgress[], reason: string | undefined): void {
      const wait = reason === undefined ? '' : ` (${escapeInvisible(reason)})`;
      for (const { target, done, total } of runs) {
        if (total === 0) continue;
        const bar =
          bars.get(target) ?? multiBar.create(total, 0, { target: escapeInvisible(target) || 'set', wait });
        bars.set(target, bar);
        bar.setTotal(total);
        bar.update(done, { wait });
      }
    },
    stop: () => multiBar.stop(),
  };
}
