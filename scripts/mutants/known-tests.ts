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
}

/** What is known of tests is kept while none of these changes. */
const INPUTS = ['src', 'simulator', 'test', 'package-lock.json'];

const CACHE = 'dist/mutants/known-tests.json';

async function hashOfInputs(root: string): Promise<string> {
  const files = execFileSync('git', ['ls-files', ...INPUTS], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n');
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update(await readFile(path.join(root, file)));
  return hash.digest('hex');
}

/** Runs test files that are not known yet once, without a mutant. Returns all. Throws Error when one of them fails. */
export async function runWithoutMutants(
  root: string,
  tests: readonly string[],
  { folders, concurrency }: { readonly folders: readonly string[]; readonly concurrency: number },
): Promise<KnownTest[]> {
  const cache = path.join(root, CACHE);
  const hash = await hashOfInputs(root);
  const text = await readFile(cache, 'utf8').catch(() => '{}');
  const cached = JSON.parse(text) as { hash?: string; known?: KnownTest[] };
  const known = cached.hash === hash ? (cached.known ?? []) : [];
  const unknown = tests.filter((name) => !known.some(({ test }) => test === name));
  let done = 0;
  await mapConcurrent(unknown, concurrency, async (test) => {
    known.push({ test, ...(await coverageOf(root, test, folders)) });
    process.stderr.write(`\r${++done} of ${unknown.length} test files without a mutant`);
  });
  if (unknown.length > 0) process.stderr.write('\n');
  await mkdir(path.dirname(cache), { recursive: true });
  await writeFile(cache, JSON.stringify({ hash, known }));
  return known.filter(({ test }) => tests.includes(test));
}

/**
 * The tests that execute the line of a mutant, those first that execute most of its file: they are about it. As many as
 * take `maxTime` together (ms), and one at least.
 */
export function mostThorough(
  known: readonly KnownTest[],
  { file, line }: Pick<FileMutant, 'file' | 'line'>,
  maxTime: number,
): KnownTest[] {
  const linesOf = ({ lines }: KnownTest) => lines[file] ?? [];
  const covering = known
    .filter((test) => linesOf(test).includes(line))
    .toSorted((a, b) => linesOf(b).length - linesOf(a).length || a.took - b.took);
  let total = 0;
  return covering.filter(({ took }, index) => {
    total += took;
    return index === 0 || total <= maxTime;
  });
}
