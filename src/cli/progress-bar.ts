import cliProgress from 'cli-progress';
import { escapeInvisible } from '../lib/text.ts';
import type { RunProgress } from '../store/sets/run-progress.ts';

/** Twice a second looks smooth and is no load for the database (ms). */
const REFRESH_INTERVAL = 500;

/** Shows a bar for each open run on stderr when that is a terminal, and nothing otherwise. */
export function showProgress(read: () => Promise<readonly RunProgress[]>): { stop(): void } {
  if (!process.stderr.isTTY) return { stop: () => undefined };
  const multiBar = new cliProgress.MultiBar(
    {
      format: '{target} [{bar}] {value} of {total}, {eta_formatted} left',
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
    },
    cliProgress.Presets.rect,
  );
  const bars = new Map<string, cliProgress.SingleBar>();
  const refresh = async () => {
    for (const { target, done, total } of await read()) {
      if (total === 0) continue;
      const bar = bars.get(target) ?? multiBar.create(total, 0, { target: escapeInvisible(target) || 'set' });
      bars.set(target, bar);
      bar.setTotal(total);
      bar.update(done);
    }
  };
  const timer = setInterval(() => void refresh().catch(() => undefined), REFRESH_INTERVAL);
  return {
    stop() {
      clearInterval(timer);
      multiBar.stop();
    },
  };
}
