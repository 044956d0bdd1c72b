import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { mapConcurrent } from '../../src/lib/concurrency.ts';
import { coverageOf, type FileMutant } from './run-tests.ts';

/** A test file as it runs without a mutant. */
export interface KnownTest {
  readonly test: string;
  /** The lines that it executes, by the absolute path of their file. */
  readonly lines: Readonly<Record<string, readonly number[]>>;
  /** Milliseconds. */
  readonly took: number;
  /** Of the test file, and of all that it may use. */
  readonly hash: string;
}

/** What every test may use. */
const INPUTS = ['src', 'simulator', 'test/support', 'package-lock.json'];

const CACHE = 'dist/mutants/known-tests.json';

async function hashOf(root: string, paths: readonly string[]): Promise<string> {
  const files = execFileSync('git', ['ls-files', ...paths], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n');
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update(await readFile(path.join(root, file)));
  return hash.digest('hex');
}

/** What earlier runs have found. */
async function readKnown(root: string): Promise<KnownTest[]> {
  return JSON.parse(await readFile(path.join(root, CACHE), 'utf8').catch(() => '[]')) as KnownTest[];
}

/** Runs test files that are not known yet once, without a mutant. Returns all. Throws Error when one of them fails. */
export async function runWithoutMutants(
  root: string,
  tests: readonly string[],
  { folders, concurrency }: { readonly folders: readonly string[]; readonly concurrency: number },
): Promise<KnownTest[]> {
  const inputs = await hashOf(root, INPUTS);
  const hashes = new Map<string, string>();
  for (const test of tests) hashes.set(test, `${inputs} ${await hashOf(root, [test])}`);
  const earlier = await readKnown(root);
  const known = earlier.filter(({ test, hash }) => hashes.get(test) === hash);
  const unknown = tests.filter((name) => !known.some(({ test }) => test === name));
  let done = 0;
  await mapConcurrent(unknown, concurrency, async (test) => {
    known.push({ test, hash: hashes.get(test)!, ...(await coverageOf(root, test, folders)) });
    process.stderr.write(`\r${++done} of ${unknown.length} test files without a mutant`);
  });
  if (unknown.length > 0) process.stderr.write('\n');
  const cache = path.join(root, CACHE);
  await mkdir(path.dirname(cache), { recursive: true });
  const others = earlier.filter(({ test }) => !hashes.has(test));
  await writeFile(cache, JSON.stringify([...others, ...known]));
  return known;
}

/**
 * The tests that execute the line of a mutant, those first that execute most of its file in the shortest time. As many as
 * take `maxTime` together (ms), and one at least.
 */
export function bestTests(
  known: readonly KnownTest[],
  { file, line }: Pick<FileMutant, 'file' | 'line'>,
  maxTime: number,
): KnownTest[] {
  const linesOf = ({ lines }: KnownTest) => lines[file] ?? [];
  const value = (test: KnownTest) => linesOf(test).length / test.took;
  const covering = known
    .filter((test) => linesOf(test).includes(line))
    .toSorted((a, b) => value(b) - value(a));
  let total = 0;
  return covering.filter(({ took }, index) => {
    total += took;
    return index === 0 || total <= maxTime;
  });
}
