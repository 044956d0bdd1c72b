import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { DAY } from '../src/lib/duration.ts';
import { startServer, type SimulationServer } from './database.ts';
import type { Failure } from './find-failures.ts';
import type { Played, PlayerInput } from './player.ts';

/** Histories of one process and one database: both grow with them. */
const BATCH = 250;

/** Seeds of a day: no day has those of another. */
const SEEDS_A_DAY = 100_000;

/** Lines of a story that are printed: the end of a longer one. */
const STORY_LINES = 150;

const program = new Command('simulate')
  .description(
    'Plays simulated histories of the product: kills, faults of ESI, twin executions, drawn from seeds',
  )
  .option('--seeds <from..to>', 'the seeds to play, such as 1..1000 or 17', parseSeeds)
  .option('--day <count>', 'plays so many seeds of this day instead', parseCount)
  .option('--processes <count>', 'processes at once', parseCount, availableParallelism());
program.parse();
const options = program.opts<{ seeds?: number[]; day?: number; processes: number }>();
const seeds = options.seeds ?? seedsOfDay(options.day ?? BATCH);
print(`seeds ${seeds[0]}..${seeds.at(-1)}`);
const server = await startServer();
const started = performance.now();
let played = 0;
const failures: Failure[] = [];
try {
  await playAll(server, seeds, options.processes);
} finally {
  await server.stop();
}
const minutes = (performance.now() - started) / 60_000;
print(
  `${played} histories in ${minutes.toFixed(1)} min (${Math.round(played / minutes)} a minute), ${failures.length} failed`,
);
process.exitCode = failures.length > 0 || played < seeds.length ? 1 : 0;

async function playAll(of: SimulationServer, all: readonly number[], processes: number): Promise<void> {
  const size = Math.min(BATCH, Math.ceil(all.length / processes));
  const batches = Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
    all.slice(i * size, (i + 1) * size),
  );
  const playNext = async () => {
    for (let batch = batches.shift(); batch; batch = batches.shift()) await playBatch(of, batch);
  };
  await Promise.all(Array.from({ length: processes }, playNext));
}

async function playBatch(of: SimulationServer, batch: readonly number[]): Promise<void> {
  const database = await of.create();
  const input: PlayerInput = { url: database.url, seeds: batch };
  const player = fork(path.join(import.meta.dirname, 'player.js'), [JSON.stringify(input)], {
    execArgv: ['--enable-source-maps'],
  });
  player.on('message', ({ seed, failure }: Played) => {
    played++;
    if (played % BATCH === 0) print(`${played} of ${seeds.length}`);
    if (failure) tell({ ...failure, seed });
  });
  await new Promise((resolve) => player.once('exit', resolve));
  await database.drop();
}

function tell(failure: Failure): void {
  failures.push(failure);
  const { seed, findings, plan, story } = failure;
  const left = story.length - STORY_LINES;
  print(
    [
      `seed ${seed} failed. Replay it with: npm run simulate -- --seeds ${seed}`,
      ...findings.map((finding) => `  ${finding}`),
      `  The shortest history that fails: ${JSON.stringify(plan)}`,
      ...(left > 0 ? [`    (${left} lines before)`] : []),
      ...story.slice(-STORY_LINES).map((line) => `    ${line}`),
    ].join('\n'),
  );
}

function seedsOfDay(count: number): number[] {
  const first = Math.floor(Date.now() / DAY) * SEEDS_A_DAY;
  return Array.from({ length: count }, (_, index) => first + index);
}

function parseSeeds(text: string): number[] {
  const match = /^(\d{1,12})(?:\.\.(\d{1,12}))?$/.exec(text);
  const from = Number(match?.[1]);
  const to = Number(match?.[2] ?? match?.[1]);
  if (!match || to < from) throw new InvalidArgumentError('Use 1..1000 or 17.');
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new InvalidArgumentError('Use a positive whole number.');
  return count;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
