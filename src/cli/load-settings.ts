import { createLog } from '../app/create-log.ts';
import { type Config, readConfig, readEnvironment } from '../app/settings.ts';
import type { Log } from '../lib/log.ts';

/** The settings and the log of a command. Throws AppError BAD_SETTINGS. `level` overrides LOG_LEVEL. */
export function loadSettings(
  environment = readEnvironment(),
  level?: 'warn',
): { readonly config: Config; readonly log: Log } {
  const config = readConfig(environment);
  const format = config.LOG_FORMAT ?? (process.stderr.isTTY ? 'pretty' : 'json');
  return { config, log: createLog(level ?? config.LOG_LEVEL, format) };
}
