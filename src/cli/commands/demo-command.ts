import { readProcessEnvironment } from '../../app/settings.ts';
import { runDemoOwners } from '../../demo/demo-owners.ts';
import { startDemo } from '../../demo/demo.ts';
import { loadSettings } from '../load-settings.ts';
import { stopSignal } from '../process-io.ts';
import { runUp } from './up-command.ts';

/** Runs everything against the simulated ESI until Ctrl-C. Throws AppError NO_SIMULATOR. */
export async function demoCommand(): Promise<void> {
  const signal = stopSignal();
  const demo = await startDemo(readProcessEnvironment());
  try {
    const { config, log } = loadSettings(demo.environment);
    const stop = new AbortController();
    const owners = runDemoOwners(config, demo.simulator, log, AbortSignal.any([signal, stop.signal]));
    try {
      await runUp(config, log, signal);
    } finally {
      stop.abort();
      await (
        await owners
      )();
    }
  } finally {
    await demo.simulator.close();
  }
}
