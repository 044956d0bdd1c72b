import { CommanderError } from 'commander';
import { restrictNewFiles } from '../embedded/data-dir.ts';
import { AppError, describeError } from '../lib/errors.ts';
import { redactSecrets } from '../lib/redact.ts';
import { DONE, FAILED, printError, WRONG_USAGE } from './process-io.ts';
import { createProgram } from './program.ts';

/** Errors that the wording of the command or the settings caused. */
const USAGE_ERRORS = new Set([
  'BAD_TARGET',
  'BAD_INTERVAL',
  'UNKNOWN_COLLECTOR',
  'BAD_SETTINGS',
  'UNKNOWN_REGION',
]);

/** Prints an error and gives the exit code. */
function handleError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USAGE;
  if (error instanceof AppError) {
    printError(redactSecrets(error.message));
    return USAGE_ERRORS.has(error.code) ? WRONG_USAGE : FAILED;
  }
  printError(`Unexpected error: ${describeError(error)}`);
  if (error instanceof Error) printError(redactSecrets(error.stack ?? ''));
  return FAILED;
}

// An error outside any handler ends the process, with a last word that names its cause.
process.on('uncaughtException', (error) => {
  printError(`eve-collector ends because of an unexpected error: ${describeError(error)}`);
  printError(redactSecrets(error.stack ?? ''));
  process.exit(FAILED);
});

restrictNewFiles();

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = handleError(error);
}
// Setting the exit code alone would wait for open handles of libraries; ours are closed by now.
process.exit();
