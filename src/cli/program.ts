import { Command, InvalidArgumentError } from 'commander';
import { VERSION } from '../app/version.ts';
import { collectors } from '../collectors/index.ts';
import type { PrintingCommand } from './command.ts';
import { escapeInvisibleLines } from '../lib/text.ts';
import { DONE, FAILED, printJson, printResult } from './process-io.ts';

/*
 * The commands with their arguments and help. Each action imports what it runs when it is called: `--help` takes a tenth of
 * a second, where loading Temporal's native core, the HTTP server and the simulated ESI takes four.
 */

interface JsonOption {
  readonly json?: boolean;
}

/** Runs a command that prints once. Its log shows warnings and errors only. */
async function runPrinting({ json }: JsonOption, load: () => Promise<PrintingCommand>): Promise<void> {
  const { loadSettings } = await import('./load-settings.ts');
  const run = await load();
  const { config, log } = loadSettings(undefined, 'warn');
  const output = await run(config, log);
  if (json === true) printJson(output.json);
  else printResult(output.text);
  process.exitCode = output.ok ? DONE : FAILED;
}

/** Adds a command that prints once, for people or as JSON. */
const addPrinting = (parent: Command, name: string, description: string) =>
  parent.command(name).description(description).option('--json', 'print one JSON value');

function parseWholeNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('Use a whole number from 1 on.');
  return Number(text);
}

const parseNames = (text: string) =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);

/** Commands that run until Ctrl-C. */
function addServices(program: Command): void {
  program
    .command('up')
    .description('start everything on this machine: servers, migrations, schedules, workers, page')
    .action(async () => (await import('./commands/up-command.ts')).upCommand());
  program
    .command('demo')
    .description('like up, against a simulated ESI: needs no EVE account and no contact')
    .action(async () => (await import('./commands/demo-command.ts')).demoCommand());
  program
    .command('worker')
    .description('start additional workers, for a running instance or the servers that the settings name')
    .action(async () => (await import('./commands/worker-command.ts')).workerCommand());
}

function addRun(program: Command): void {
  const names = collectors.map((collector) => collector.name).join(', ');
  addPrinting(program, 'run', `collect now and wait until it is done. Collectors: ${names}`)
    .summary('collect now and wait until it is done')
    .argument('<collector>', 'what to collect')
    .argument('[targets...]', 'e.g. region/10000002; default: all')
    .option('--no-wait', 'start the runs without waiting for them')
    .action((collector: string, targets: string[], options: JsonOption & { wait: boolean }) =>
      runPrinting(options, async () => {
        const { runCommand } = await import('./commands/run-command.ts');
        return runCommand(collector, targets, { wait: options.wait, showProgress: options.json !== true });
      }),
    );
}

/** Commands about the collection as a whole. */
function addOperations(program: Command): void {
  addPrinting(program, 'status', 'show what is collected, how fresh it is, and what is wrong').action(
    (options: JsonOption) =>
      runPrinting(options, async () => (await import('./commands/status-command.ts')).statusCommand),
  );
  addPrinting(program, 'schedules', 'show schedules and next runs').action((options: JsonOption) =>
    runPrinting(options, async () => (await import('./commands/schedules-command.ts')).schedulesCommand),
  );
  addPrinting(program, 'budget', 'show rate limits: used, free, and who spent what').action(
    (options: JsonOption) =>
      runPrinting(options, async () => (await import('./commands/budget-command.ts')).budgetCommand),
  );
  addPrinting(program, 'accept', 'confirm what a run refused: the next snapshot is believed')
    .argument('<run>', 'number of the run, as the refusal names it', parseWholeNumber)
    .action((runId: number, options: JsonOption) =>
      runPrinting(options, async () => (await import('./commands/accept-command.ts')).acceptCommand(runId)),
    );
  addPrinting(program, 'pause', 'stop all requests to ESI, of all workers')
    .option('--reason <text>', 'shown while paused', 'by hand')
    .action((options: JsonOption & { reason: string }) =>
      runPrinting(options, async () =>
        (await import('./commands/pause-command.ts')).pauseCommand(options.reason),
      ),
    );
  addPrinting(program, 'resume', 'continue sending requests to ESI').action((options: JsonOption) =>
    runPrinting(options, async () => (await import('./commands/pause-command.ts')).resumeCommand),
  );
  addPrinting(program, 'doctor', 'check settings, machine, servers and sources, and say what to do').action(
    (options: JsonOption) =>
      runPrinting(options, async () => (await import('./commands/doctor-command.ts')).doctorCommand),
  );
  addPrinting(program, 'migrate', 'apply pending migrations to the database').action((options: JsonOption) =>
    runPrinting(options, async () => (await import('./commands/migrate-command.ts')).migrateCommand),
  );
}

/** `tokens ...`: logins of characters. */
function addTokens(program: Command): void {
  const tokens = program
    .command('tokens')
    .description('logins of characters: list, add, remove, enable, disable, rekey');
  const load = () => import('./commands/tokens-command.ts');
  const addOne = (name: string, description: string) =>
    addPrinting(tokens, name, description).argument('<id>', 'id that "tokens list" shows', parseWholeNumber);
  addPrinting(tokens, 'list', 'list the logins').action((options: JsonOption) =>
    runPrinting(options, async () => (await load()).listTokensCommand),
  );
  addPrinting(
    tokens,
    'add',
    'print the address of a login (to stderr with --json) and wait until it is completed',
  )
    .option(
      '--collectors <names>',
      'request only the scopes that these need, e.g. wallet,assets (replaces the scopes of an earlier login)',
      parseNames,
    )
    .option('--no-open', 'do not open a browser')
    .action((options: JsonOption & { collectors?: string[]; open: boolean }) =>
      runPrinting(options, async () => (await load()).addTokenCommand(options)),
    );
  addOne('remove', 'delete a login, here and at EVE').action((id: number, options: JsonOption) =>
    runPrinting(options, async () => (await load()).removeTokenCommand(id)),
  );
  addOne('enable', 'enable a login').action((id: number, options: JsonOption) =>
    runPrinting(options, async () => (await load()).enableTokenCommand(id, true)),
  );
  addOne('disable', 'disable a login without deleting it').action((id: number, options: JsonOption) =>
    runPrinting(options, async () => (await load()).enableTokenCommand(id, false)),
  );
  addPrinting(tokens, 'rekey', 'encrypt every token with the first key of TOKEN_ENCRYPTION_KEY').action(
    (options: JsonOption) => runPrinting(options, async () => (await load()).rekeyCommand),
  );
}

interface AssignOptions extends JsonOption {
  readonly every?: number;
}

/** `assign ...`: what is collected for which character or corporation. */
function addAssign(program: Command): void {
  const assign = program
    .command('assign')
    .description('what is collected for whom: list, add, remove, enable, disable');
  const load = () => import('./commands/assign-command.ts');
  const addOne = (name: string, description: string) =>
    addPrinting(assign, name, description)
      .argument('<collector>', 'e.g. wallet')
      .argument('<target>', 'e.g. character/90000001 or corporation/98000001');
  addPrinting(assign, 'list', 'list all assignments').action((options: JsonOption) =>
    runPrinting(options, async () => (await load()).listAssignmentsCommand),
  );
  addOne('add', 'assign a collector to a character or corporation')
    .option('--every <minutes>', "minutes between two runs; default: the collector's own", parseWholeNumber)
    .action((collector: string, target: string, options: AssignOptions) =>
      runPrinting(options, async () => (await load()).addAssignmentCommand(collector, target, options.every)),
    );
  addOne('remove', 'remove an assignment; what was collected stays').action(
    (collector: string, target: string, options: JsonOption) =>
      runPrinting(options, async () => (await load()).removeAssignmentCommand(collector, target)),
  );
  addOne('enable', 'enable an assignment, or change its interval')
    .option('--every <minutes>', 'minutes between two runs; default: unchanged', parseWholeNumber)
    .action((collector: string, target: string, options: AssignOptions) =>
      runPrinting(options, async () =>
        (await load()).enableAssignmentCommand(collector, target, options.every),
      ),
    );
  addOne('disable', 'disable an assignment').action(
    (collector: string, target: string, options: JsonOption) =>
      runPrinting(options, async () => (await load()).disableAssignmentCommand(collector, target)),
  );
}

/** `gaps ...`: rows that wallet journals lack. */
function addGaps(program: Command): void {
  const load = () => import('./commands/gaps-command.ts');
  const gaps = addPrinting(program, 'gaps', 'list gaps in wallet journals').action((options: JsonOption) =>
    runPrinting(options, async () => (await load()).listGapsCommand),
  );
  addPrinting(gaps, 'accept', 'acknowledge gaps, which are not shown any more')
    .argument(
      '<ids...>',
      'from the list',
      (text: string, ids: readonly number[]) => [...ids, parseWholeNumber(text)],
      [],
    )
    .action((ids: readonly number[], _: unknown, command: Command) =>
      runPrinting(command.optsWithGlobals(), async () => (await load()).acceptGapsCommand(ids)),
    );
}

/** The command line. Its actions set `process.exitCode`. */
export function createProgram(): Command {
  const program = new Command('eve-collector')
    .description('Collects EVE Online data from ESI into PostgreSQL, on Temporal.')
    .version(VERSION)
    .showHelpAfterError()
    .configureOutput({ outputError: (text, write) => write(escapeInvisibleLines(text)) }) // it quotes what was typed
    .exitOverride();
  addServices(program);
  addRun(program);
  addOperations(program);
  addTokens(program);
  addAssign(program);
  addGaps(program);
  return program;
}
