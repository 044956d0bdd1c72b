import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Mutant } from './find-mutants.ts';

/** A mutant with its file, as an absolute path. */
export interface FileMutant extends Mutant {
  readonly file: string;
}

/** How a run of tests ended. */
export type TestsEnd = 'passed' | 'failed' | 'timeout';

export interface TestRun {
  readonly end: TestsEnd;
  /** Milliseconds. */
  readonly took: number;
  readonly output: string;
}

/** Runs test files with one worker until one fails. `mutant` is compiled into its file; the sources stay as they are. */
export async function runTests(
  root: string,
  tests: readonly string[],
  options: { readonly mutant?: FileMutant; readonly timeout: number; readonly args?: readonly string[] },
): Promise<TestRun> {
  const started = performance.now();
  const jest = path.join(root, 'node_modules/jest/bin/jest.js');
  const flags = [
    '--runInBand',
    '--bail',
    '--forceExit',
    '--config',
    await jestConfig(root),
    ...(options.args ?? []),
  ];
  const child = spawn(
    process.execPath,
    ['--experimental-vm-modules', '--no-warnings', jest, ...flags, '--runTestsByPath', ...tests],
    {
      cwd: root,
      detached: true, // so that its own children can be ended with it
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...(options.mutant ? { MUTANT: JSON.stringify(options.mutant) } : {}) },
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    process.kill(-child.pid!, 'SIGKILL');
  }, options.timeout);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  const end = isLate ? 'timeout' : code === 0 ? 'passed' : 'failed';
  return { end, took: performance.now() - started, output };
}

/** The configuration of the tests, with the transformer of the mutants. */
async function jestConfig(root: string): Promise<string> {
  const { jest } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
    jest: { transform: Record<string, [string, unknown]> };
  };
  const transformer = path.join(root, 'scripts/mutants/jest-transformer.mjs');
  const transform = Object.fromEntries(
    Object.entries(jest.transform).map(([pattern, [, options]]) => [pattern, [transformer, options]]),
  );
  return JSON.stringify({ ...jest, rootDir: root, transform });
}

/** Runs one test file and returns what it executes. Throws Error when it fails. */
export async function coverageOf(
  root: string,
  test: string,
  folders: readonly string[],
): Promise<{ readonly lines: Record<string, number[]>; readonly took: number }> {
  const dir = await mkdtemp(path.join(tmpdir(), 'eve-coverage-'));
  try {
    const args = [
      '--coverage',
      '--coverageProvider=v8',
      '--coverageReporters=json',
      `--coverageDirectory=${dir}`,
    ].concat(folders.map((folder) => `--collectCoverageFrom=${folder}/**/*.ts`));
    const { end, took, output } = await runTests(root, [test], { timeout: 300_000, args });
    if (end !== 'passed') throw new Error(`${test} does not pass without a mutant:\n${output}`);
    const files = JSON.parse(await readFile(path.join(dir, 'coverage-final.json'), 'utf8')) as Record<
      string,
      { statementMap: Record<string, { start: { line: number } }>; s: Record<string, number> }
    >;
    const lines: Record<string, number[]> = {};
    for (const [file, { statementMap, s }] of Object.entries(files)) {
      const executed = Object.entries(s).filter(([, count]) => count > 0);
      if (executed.length > 0) lines[file] = executed.map(([id]) => statementMap[id]!.start.line);
    }
    return { lines, took };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
