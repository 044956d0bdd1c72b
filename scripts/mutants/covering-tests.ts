/**
 * The tests that may notice a change, by the folder of the source file: the longest prefix counts. Tests that start the
 * built product are left out, because a mutant exists in the test's own process only.
 */
const TESTS: Readonly<Record<string, readonly string[]>> = {
  'src/engine': ['test/engine/*.test.ts'],
  'src/engine/compare': [
    'test/engine/compare',
    'test/engine/compared-rows.test.ts',
    'test/engine/rejected-rows.test.ts',
  ],
  'src/engine/history': ['test/engine/market-history'],
  'src/engine/owners': ['test/engine/owners'],
  'src/engine/run': ['test/engine/*.test.ts', 'test/engine/owners'],
  'src/engine/universe': [
    'test/engine/universe',
    'test/engine/doubtful-universe.test.ts',
    'test/engine/references.test.ts',
  ],
  'src/esi': ['test/esi', 'test/engine/owners/failing-parts.test.ts'],
  'src/esi/facts': ['test/esi', 'test/collectors', 'test/engine/owners/out-of-range-values.test.ts'],
  'src/esi/limits': ['test/esi', 'test/store/rate-limit'],
  'src/secrets': ['test/secrets'],
  'src/store': ['test/store', 'test/engine/*.test.ts'],
  'src/store/history': ['test/engine/market-history'],
  'src/store/limits': ['test/store', 'test/esi'],
  'src/store/owners': ['test/engine/owners'],
  'src/store/sets': ['test/engine/*.test.ts', 'test/engine/owners'],
  'src/store/universe': [
    'test/engine/universe',
    'test/engine/doubtful-universe.test.ts',
    'test/engine/references.test.ts',
  ],
};

/** Those of all test files that may notice a change of a source file. Paths are relative to the project. */
export function testsOf(file: string, all: readonly string[]): string[] {
  const folders = Object.keys(TESTS).filter((folder) => file.startsWith(`${folder}/`));
  const folder = folders.toSorted((a, b) => b.length - a.length)[0];
  if (folder === undefined) throw new Error(`${file}: no tests are known for its folder`);
  const patterns = TESTS[folder]!;
  return all.filter((test) => patterns.some((pattern) => matches(test, pattern)));
}

function matches(test: string, pattern: string): boolean {
  const [folder, rest] = pattern.split('*');
  if (rest === undefined) return test.startsWith(pattern);
  return test.startsWith(folder!) && test.endsWith(rest) && !test.slice(folder!.length).includes('/');
}
