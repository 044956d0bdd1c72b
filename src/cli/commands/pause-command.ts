import { writePause } from '../../store/pause.ts';
import { type PrintingCommand, succeeded, withDatabase } from '../command.ts';

/** Stops all requests to ESI. */
export const pauseCommand =
  (reason: string): PrintingCommand =>
  (config, log) =>
    withDatabase(config, log, async ({ db }) => {
      await writePause(db, reason);
      const text = `Paused: no requests are sent to ESI (reason: ${reason}). Run "eve-collector resume" to continue.`;
      return succeeded(text, { paused: true, reason });
    });

/** Continues sending requests to ESI. */
export const resumeCommand: PrintingCommand = (config, log) =>
  withDatabase(config, log, async ({ db }) => {
    await writePause(db, undefined);
    return succeeded('Resumed: requests are sent to ESI again.', { paused: false, reason: null });
  });
