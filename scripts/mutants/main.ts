import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mapConcurrent } from '../../src/lib/concurrency.ts';
import globalSetup from '../../test/support/global-setup.ts';
import globalTeardown from '../../test/support/global-teardown.ts';
import { testsOf } from './covering-tests.ts';
import { findMutants } from './find-mutants.ts';
import { type KnownTest, bestTests, runWithoutMutants } from './known-tests.ts';
import { type FileMutant, runTests } from './run-tests.ts';
import { formatReport, type MutantEnd, type TestedMutant } from './report.ts';

/*
 * Mutation tests: small changes of the source, each of which a test should notice. `npm run mutants -- --sample 50` takes some
 * quarter of an hour, and a first run ten minutes more; all mutants take days.
 */

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** The folders whose mutants are tested. */
const FOLDERS = ['src/engine', 'src/esi', 'src/secrets', 'src/store'];

/** Files that hold nothing that a test could notice. */
const LEFT_OUT = /^src\/store\/generated\//;

/** Test runs at once. Each uses a core, and the database server another half. */
const CONCURRENCY = 2;

/** Milliseconds of tests, without a mutant, that a mutant is given to: some twenty files. Most are noticed by the first. */
const MAX_TIME = 180_000;

/** Milliseconds of a run with a mutant: what it takes without one, several times over, on a machine that does other work too. */
const timeoutFor = (took: number) => 30_000 + 4 * took;

const { values } = parseArgs({
  options: {
    files: { type: 'string', multiple: true, default: FOLDERS },
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: 'bench/results/mutants.json' },
  },
});

/** A random number from 0 to 1 for each mutant, so that a sample depends on the seed alone (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const listFiles = (...folders: readonly string[]) =>
  execFileSync('git', ['ls-files', ...folders], { cwd: ROOT, encoding: 'utf8' })
    .trim()
    .split('\n');

async function listMutants(): Promise<FileMutant[]> {
  const files = listFiles(...values.files).filter((file) => file.endsWith('.ts') && !LEFT_OUT.test(file));
  const lists = files.map(async (name) => {
    const file = path.join(ROOT, name);
    return findMutants(await readFile(file, 'utf8')).map((mutant) => ({ ...mutant, file }));
  });
  const all = (await Promise.all(lists)).flat();
  if (values.sample === undefined) return all;
  const random = createRandom(Number(values.seed));
  const ranked = all.map((mutant) => ({ mutant, rank: random() })).toSorted((a, b) => a.rank - b.rank);
  return ranked.slice(0, Number(values.sample)).map(({ mutant }) => mutant);
}

const relative = (file: string) => path.relative(ROOT, file);

/** Runs the tests that execute the line of a mutant: first the best one, then the others until one fails. */
async function testMutant(
  mutant: FileMutant,
  known: readonly KnownTest[],
  all: readonly string[],
): Promise<MutantEnd> {
  const candidates = new Set(testsOf(relative(mutant.file), all));
  const covering = bestTests(
    known.filter(({ test }) => candidates.has(test)),
    mutant,
    MAX_TIME,
  );
  if (covering.length === 0) return 'not covered';
  const [first, ...others] = covering;
  for (const tests of [[first!], others]) {
    if (tests.length === 0) continue;
    const timeout = timeoutFor(tests.reduce((sum, { took }) => sum + took, 0));
    const { end } = await runTests(
      ROOT,
      tests.map(({ test }) => test),
      { mutant, timeout },
    );
    if (end !== 'passed') return end === 'failed' ? 'killed' : 'timeout';
  }
  return 'survived';
}

async function main(): Promise<void> {
  const mutants = await listMutants();
  const all = listFiles('test').filter((file) => file.endsWith('.test.ts'));
  await globalSetup({ rootDir: ROOT });
  try {
    const tests = new Set(mutants.flatMap(({ file }) => testsOf(relative(file), all)));
    const known = await runWithoutMutants(ROOT, [...tests], { folders: FOLDERS, concurrency: CONCURRENCY });
    const tested: TestedMutant[] = [];
    await mapConcurrent(mutants, CONCURRENCY, async (mutant) => {
      const end = await testMutant(mutant, known, all);
      const { start: _, end: __, file, ...shown } = mutant;
      tested.push({ ...shown, file: relative(file), result: end });
      process.stderr.write(`\r${tested.length} of ${mutants.length} mutants`);
    });
    process.stderr.write('\n');
    const { text, json } = formatReport(tested, { seed: values.seed, sample: values.sample ?? null });
    console.log(text);
    await writeFile(path.resolve(ROOT, values.out), `${JSON.stringify(json, undefined, 2)}\n`);
  } finally {
    await globalTeardown();
  }
}

await main();
