import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { DAY } from '../src/lib/duration.ts';
import { startServer } from './database.ts';
import type { Failure } from './find-failures.ts';
import { MENDS, takeOut } from './mends.ts';
import type { Played, PlayerInput } from './player.ts';

/** Histories of one process and one database: both grow with them. */
const BATCH = 250;

/** Seeds of a day: no day has those of another. */
const SEEDS_A_DAY = 100_000;

/** Lines of a story that are printed: the end of a longer one. */
const STORY_LINES = 150;

/** Seeds that are tried to miss a mend. */
const SEEDS_FOR_A_MEND = 500;

interface Options {
  readonly seeds?: number[];
  readonly day?: number;
  readonly processes: number;
  readonly mends?: true;
}

const program = new Command('simulate')
  .description(
    'Plays histories drawn from seeds: kills, faults of ESI, steps that run twice, and checks what is stored',
  )
  .option('--seeds <from..to>', 'the seeds to play, such as 1..1000 or 17', parseSeeds)
  .option('--day <count>', 'plays so many seeds of this day instead', parseCount)
  .option('--mends', 'takes one mend after the other out of the product, and tells which seed misses it')
  .option('--processes <count>', 'processes at once', parseCount, availableParallelism());
program.parse();
const options = program.opts<Options>();
const server = await startServer();
try {
  const isFine = await (options.mends
    ? playWithoutMends()
    : playSeeds(options.seeds ?? seedsOfDay(options.day ?? BATCH)));
  process.exitCode = isFine ? 0 : 1;
} finally {
  await server.stop();
}

/** Plays the seeds and tells each that fails. Returns whether all were played and none fails. */
async function playSeeds(seeds: readonly number[]): Promise<boolean> {
  print(`seeds ${seeds[0]}..${seeds.at(-1)}`);
  const started = performance.now();
  let played = 0;
  let failed = 0;
  await playAll(seeds, path.join(import.meta.dirname, '..'), ({ failure }) => {
    played++;
    if (failure) failed++;
    if (failure) tell(failure);
    if (played % BATCH === 0) print(`${played} of ${seeds.length}`);
  });
  const minutes = (performance.now() - started) / 60_000;
  const rate = Math.round(played / minutes);
  print(`${played} histories in ${minutes.toFixed(1)} min (${rate} a minute), ${failed} failed`);
  return failed === 0 && played === seeds.length;
}

/** Takes each mend out. Returns whether each is missed by a history. */
async function playWithoutMends(): Promise<boolean> {
  let isEachMissed = true;
  for (const mend of Object.keys(MENDS)) {
    const folder = await takeOut(mend);
    const stop = new AbortController();
    let found: Failure | undefined;
    let played = 0;
    const seeds = Array.from({ length: SEEDS_FOR_A_MEND }, (_, index) => index + 1);
    await playAll(
      seeds,
      folder,
      ({ failure }) => {
        if (!found) played++;
        found ??= failure;
        if (failure) stop.abort();
      },
      stop.signal,
    );
    const result = found
      ? `seed ${found.seed}, after ${played}: ${found.findings[0]}`
      : `missed by no seed of ${played}`;
    print(`without "${mend}": ${result}`);
    isEachMissed &&= found !== undefined;
  }
  return isEachMissed;
}

/** Plays all seeds in processes that load what was built in `folder`. */
async function playAll(
  all: readonly number[],
  folder: string,
  report: (played: Played) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { processes } = options;
  const size = Math.min(BATCH, Math.ceil(all.length / processes));
  const batches = Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
    all.slice(i * size, (i + 1) * size),
  );
  const playNext = async () => {
    for (let batch = batches.shift(); batch; batch = signal?.aborted ? undefined : batches.shift())
      await playBatch(batch, folder, report, signal);
  };
  await Promise.all(Array.from({ length: processes }, playNext));
}

async function playBatch(
  batch: readonly number[],
  folder: string,
  report: (played: Played) => void,
  signal?: AbortSignal,
): Promise<void> {
  const database = await server.create();
  const input: PlayerInput = { url: database.url, seeds: batch, isShortened: signal === undefined };
  const player = fork(path.join(folder, 'simulation/player.js'), [JSON.stringify(input)], {
    execArgv: ['--enable-source-maps'],
  });
  player.on('message', report);
  const stop = () => player.kill('SIGKILL');
  signal?.addEventListener('abort', stop);
  await new Promise((resolve) => player.once('exit', resolve));
  signal?.removeEventListener('abort', stop);
  await database.drop();
}

function tell({ seed, findings, plan, story }: Failure): void {
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
