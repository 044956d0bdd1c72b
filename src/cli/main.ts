import { Command, CommanderError } from 'commander';
import { collectors } from '../collectors/index.ts';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { redactSecrets } from '../lib/redact.ts';
import { addAssign, addTokens } from './owner-program.ts';
import type { Work } from './command.ts';
import * as commands from './commands.ts';
import { type Config, readConfig, readEnvironment } from '../app/settings.ts';
import { runDemoOwners } from '../demo/demo-owners.ts';
import { startDemo } from '../demo/demo.ts';
import { createLog, installTemporalLog } from '../app/log.ts';
import { up } from '../app/up.ts';
import { VERSION } from '../app/version.ts';

const DONE = 0;
const FAILED = 1;
const WRONG_USAGE = 2;

/** Errors of whoever wrote the command. */
const USAGE = new Set(['BAD_TARGET', 'BAD_INTERVAL', 'UNKNOWN_COLLECTOR', 'BAD_SETTINGS']);

const out = (text: string) => void process.stdout.write(`${text}\n`);
const complain = (text: string) => void process.stderr.write(`${text}\n`);

function prepare(environment = readEnvironment(), level?: string): { config: Config; log: Log } {
  const config = readConfig(environment);
  const format = config.LOG_FORMAT ?? (process.stderr.isTTY ? 'pretty' : 'json');
  const log = createLog(level ?? config.LOG_LEVEL, format);
  installTemporalLog(log);
  return { config, log };
}

/** Aborts at the first Ctrl-C or SIGTERM; the second ends the process at once. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => (controller.signal.aborted ? process.exit(FAILED) : controller.abort());
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}

/** Runs a command that prints once. Logs of such commands are of interest only when something is wrong. */
function printing(work: Work): (options: { json?: boolean }) => Promise<number> {
  return async (options) => {
    const { config, log } = prepare(undefined, 'warn');
    const { text, json, ok } = await work(config, log);
    out(options.json === true ? JSON.stringify(json) : text);
    return ok ? DONE : FAILED;
  };
}

type Finish = (code: number) => void;

/** Commands that stay: they end by a signal. */
function addServices(app: Command, finish: Finish): void {
  app
    .command('up')
    .description('everything on this machine: servers, migrations, schedules, workers, page')
    .action(async () => {
      const signal = stopSignal();
      const { config, log } = prepare();
      finish(await up(config, log, signal, out));
    });
  app
    .command('demo')
    .description('the same as up, against the simulated ESI: no account, no network')
    .action(async () => {
      const signal = stopSignal();
      const demo = await startDemo(readEnvironment());
      try {
        const { config, log } = prepare(demo.environment);
        void runDemoOwners(config, demo.simulator, log, signal);
        finish(await up(config, log, signal, out));
      } finally {
        await demo.close();
      }
    });
  app
    .command('worker')
    .description('a worker only, beside a running up or on servers that the settings name')
    .action(async () => {
      const { config, log } = prepare();
      await commands.workerCommand(config, log, stopSignal());
      finish(DONE);
    });
}

/** Commands that print once, for people or as JSON. */
function addQuestions(app: Command, finish: Finish): void {
  const add = (name: string, about: string, work: Work) =>
    app
      .command(name)
      .description(about)
      .option('--json', 'print one JSON value')
      .action(async (options: { json?: boolean }) => finish(await printing(work)(options)));
  add('migrate', 'brings the database up to date', commands.migrateCommand);
  add('status', 'what is collected, how fresh, and what is wrong', commands.statusCommand);
  add('budget', "ESI's limits and ours: used, free, and who spent what", commands.budgetCommand);
  add('schedules', 'when what runs', commands.schedulesCommand);
  add('resume', 'lets ESI requests go on', (config, log) => commands.pauseCommand(config, log, undefined));
  add(
    'doctor',
    'looks at settings, machine, servers and sources, and says what to do',
    commands.doctorCommand,
  );
  app
    .command('pause')
    .description('stops every ESI request of all workers')
    .option('--reason <text>', 'kept and shown', 'by hand')
    .option('--json', 'print one JSON value')
    .action(async (options: { reason: string; json?: boolean }) =>
      finish(await printing((config, log) => commands.pauseCommand(config, log, options.reason))(options)),
    );
}

function addRun(app: Command, finish: Finish): void {
  const names = collectors.map((collector) => collector.name).join(', ');
  app
    .command('run')
    .description(`collects now and waits (${names})`)
    .argument('<collector>', 'what to collect')
    .argument('[targets...]', 'e.g. region/10000002; none: all')
    .option('--no-wait', 'only start it')
    .option('--json', 'print one JSON value')
    .action(
      async (collector: string, targets: string[], { wait, json }: { wait: boolean; json?: boolean }) => {
        const options = { wait, quiet: json === true };
        const work: Work = (config, log) => commands.runCommand(config, log, collector, targets, options);
        finish(await printing(work)(json === undefined ? {} : { json }));
      },
    );
}

function program(finish: Finish): Command {
  const app = new Command('eve-collector')
    .description('Collects EVE Online data from ESI into PostgreSQL, on Temporal.')
    .version(VERSION)
    .showHelpAfterError()
    .exitOverride();
  addServices(app, finish);
  addRun(app, finish);
  addQuestions(app, finish);
  const print = async (work: Work, options: { json?: boolean }) => finish(await printing(work)(options));
  addTokens(app, print, (text, aside) => (aside ? complain : out)(text));
  addAssign(app, print);
  return app;
}

async function main(): Promise<number> {
  let code = DONE;
  try {
    await program((result) => (code = result)).parseAsync();
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USAGE;
    complain(
      error instanceof AppError
        ? error.message
        : `Something went wrong that should not: ${describeError(error)}`,
    );
    if (!(error instanceof AppError) && error instanceof Error) complain(redactSecrets(error.stack ?? ''));
    return error instanceof AppError && USAGE.has(error.code) ? WRONG_USAGE : FAILED;
  }
}

// An exit code alone would wait for whatever is still open; everything of ours is closed by now.
process.exit(await main());
