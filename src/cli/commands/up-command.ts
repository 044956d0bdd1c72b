import type { Config } from '../../app/settings.ts';
import { up } from '../../app/up.ts';
import type { Log } from '../../lib/log.ts';
import { formatBanner } from '../banner.ts';
import { loadSettings } from '../load-settings.ts';
import { printResult, stopSignal } from '../process-io.ts';

/** Runs everything on this machine until Ctrl-C. */
export async function upCommand(): Promise<void> {
  const signal = stopSignal();
  const { config, log } = loadSettings();
  await runUp(config, log, signal);
}

/** Starts everything, prints the banner, and runs until `signal` is aborted. */
export async function runUp(config: Config, log: Log, signal: AbortSignal): Promise<void> {
  try {
    const running = await up(config, log, signal);
    try {
      printResult(formatBanner(running.summary));
    } finally {
      await running.runUntilAborted(); // also stops everything, whatever became of the banner
    }
  } catch (error) {
    if (!signal.aborted) throw error; // an aborted start is a clean stop
  }
}
