import { type Command, InvalidArgumentError } from 'commander';
import type { Work } from './command.ts';
import * as owners from './owner-commands.ts';

/** Does the work of a command, and prints what it says. */
export type Print = (work: Work, options: { readonly json?: boolean }) => Promise<void>;

function whole(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('Write a whole number from 1 on.');
  return Number(text);
}

const names = (text: string) =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);

/** Says something before a command has ended. `aside`: where it stays out of what the command prints. */
export type Show = (text: string, aside: boolean) => void;

/** `tokens ...`: who is logged in. */
export function addTokens(app: Command, print: Print, show: Show): void {
  const tokens = app
    .command('tokens')
    .description('logins of characters: list, add, remove, enable, disable, rekey');
  const add = (name: string, about: string) =>
    tokens.command(name).description(about).option('--json', 'print one JSON value');
  const number = ['<id>', 'the number that "tokens list" shows'] as const;
  add('list', 'who is logged in').action((options: { json?: boolean }) =>
    print(owners.listTokensCommand, options),
  );
  add('add', 'prints the address of a login (with --json to standard error), and waits for it')
    .option(
      '--collectors <names>',
      'only what these need, e.g. wallet,assets (replaces the scopes of an earlier login)',
      names,
    )
    .option('--no-open', 'do not open a browser')
    .action((options: owners.AddOptions & { json?: boolean }) => {
      const tell = (text: string) => show(text, options.json === true);
      return print((config, log) => owners.addTokenCommand(config, log, options, tell), options);
    });
  add('remove', 'deletes a login, here and at EVE')
    .argument(...number, whole)
    .action((id: number, options: { json?: boolean }) => print(owners.removeTokenCommand(id), options));
  for (const [name, enabled] of [['enable', true] as const, ['disable', false] as const])
    add(name, enabled ? 'uses a login again' : 'uses a login no more, and keeps it')
      .argument(...number, whole)
      .action((id: number, options: { json?: boolean }) =>
        print(owners.enableTokenCommand(id, enabled), options),
      );
  add('rekey', 'seals every token with the first key of TOKEN_ENCRYPTION_KEY').action(
    (options: { json?: boolean }) => print(owners.rekeyCommand, options),
  );
}

interface AssignOptions {
  readonly json?: boolean;
  readonly every?: number;
}

/** `assign ...`: what is collected for whom. */
export function addAssign(app: Command, print: Print): void {
  const assign = app
    .command('assign')
    .description('what is collected for whom: list, add, remove, enable, disable');
  const add = (name: string, about: string) =>
    assign.command(name).description(about).option('--json', 'print one JSON value');
  const addOne = (name: string, about: string) =>
    add(name, about)
      .argument('<collector>', 'e.g. wallet')
      .argument('<target>', 'e.g. character/90000001 or corporation/98000001');
  add('list', 'all assignments').action((options: AssignOptions) =>
    print(owners.listAssignmentsCommand, options),
  );
  addOne('add', 'assigns a collector to an owner')
    .option('--every <minutes>', "minutes between two runs; the collector's own rhythm when not given", whole)
    .action((collector: string, target: string, options: AssignOptions) =>
      print(owners.assignCommand(collector, target, options.every), options),
    );
  addOne('remove', 'ends an assignment; what was collected stays').action(
    (collector: string, target: string, options: AssignOptions) =>
      print(owners.unassignCommand(collector, target), options),
  );
  addOne('enable', 'collects it again, from now on; with --every at another interval')
    .option('--every <minutes>', 'minutes between two runs; as before when not given', whole)
    .action((collector: string, target: string, options: AssignOptions) =>
      print(owners.enableAssignmentCommand(collector, target, true, options.every), options),
    );
  addOne('disable', 'lets it rest').action((collector: string, target: string, options: AssignOptions) =>
    print(owners.enableAssignmentCommand(collector, target, false), options),
  );
}
