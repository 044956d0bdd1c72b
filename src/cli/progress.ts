import cliProgress from 'cli-progress';
import type { RunProgress } from '../store/sets/run-progress.ts';

/** Twice a second is smooth to the eye and nothing to the database. */
const EVERY = 500;

/** Bars on a terminal's stderr, one per open run; nothing where nobody looks. */
export function showProgress(read: () => Promise<readonly RunProgress[]>): { stop(): void } {
  if (!process.stderr.isTTY) return { stop: () => undefined };
  const bars = new cliProgress.MultiBar(
    {
      format: '{target} [{bar}] {value} of {total}, {eta_formatted} left',
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
    },
    cliProgress.Presets.rect,
  );
  const shown = new Map<string, cliProgress.SingleBar>();
  const draw = async () => {
    for (const { target, done, total } of await read()) {
      if (total === 0) continue;
      const bar = shown.get(target) ?? bars.create(total, 0, { target: target || 'set' });
      shown.set(target, bar);
      bar.setTotal(total);
      bar.update(done);
    }
  };
  const timer = setInterval(() => void draw().catch(() => undefined), EVERY);
  return {
    stop() {
      clearInterval(timer);
      bars.stop();
    },
  };
}
