import { expect, test } from '@jest/globals';
import { testsOf } from '../../scripts/mutants/covering-tests.ts';
import { findMutants } from '../../scripts/mutants/find-mutants.ts';
import { bestTests } from '../../scripts/mutants/known-tests.ts';
import { formatReport } from '../../scripts/mutants/report.ts';

/** The source with each of its mutants. */
const mutated = (source: string) =>
  findMutants(source).map(({ start, end, replacement }) => {
    const bytes = Buffer.from(source);
    return bytes.subarray(0, start).toString() + replacement + bytes.subarray(end).toString();
  });

const CASES: Record<string, [source: string, mutants: string[]]> = {
  'a comparison': ['f = a < b;', ['f = a <= b;']],
  'a condition': ['if (a()) b = 1; else b = 2;', ['if (!(a())) b = 1; else b = 2;']],
  'an exit': [
    'const f = () => { if (a(b)) return 1; };',
    ['const f = () => { if (false) return 1; };', 'const f = () => { if (!(a(b))) return 1; };'],
  ],
  'logic behind a text that is no ASCII': [
    "const f = 'ä€' + (a && !b);",
    ["const f = 'ä€' + (a || !b);", "const f = 'ä€' + (a && b);"],
  ],
  arithmetic: [
    'const f = (a: number) => a * 2 + 1;',
    ['const f = (a: number) => a / 2 + 1;', 'const f = (a: number) => a * 2 - 1;'],
  ],
  'a default': ['f = a ?? b;', ['f = a;']],
  'a boolean that is no type': ['const f: true | false = true;', ['const f: true | false = false;']],
  'a call for its effect': ['async () => { await drop(a); };', ['async () => { ; };']],
  SQL: [
    'f = `SELECT a FROM b WHERE c = ${d} AND e IS NULL`;',
    [
      'f = `SELECT a FROM b WHERE c <> ${d} AND e IS NULL`;',
      'f = `SELECT a FROM b WHERE c = ${d} OR e IS NULL`;',
      'f = `SELECT a FROM b WHERE c = ${d} AND e IS NOT NULL`;',
    ],
  ],
  'nothing in a log message': ["log.info({}, 'it is done');", []],
};

test.each(Object.entries(CASES))('mutants are made of %s', (_, [source, mutants]) => {
  expect(mutated(source).toSorted()).toEqual(mutants.toSorted());
});

test('a file is tested by the tests of the nearest folder', () => {
  const all = [
    'test/engine/a.test.ts',
    'test/engine/owners/b.test.ts',
    'test/engine/universe.test.ts',
    'test/esi/c.test.ts',
  ];
  expect(testsOf('src/engine/list-targets.ts', all)).toEqual([
    'test/engine/a.test.ts',
    'test/engine/universe.test.ts',
  ]);
  expect(testsOf('src/engine/owners/x.ts', all)).toEqual(['test/engine/owners/b.test.ts']);
  expect(testsOf('src/engine/universe/x.ts', all)).toEqual(['test/engine/universe.test.ts']);
  expect(() => testsOf('src/http/x.ts', all)).toThrow('no tests are known');
});

test('a mutant is given to the tests that execute most of its file in the shortest time', () => {
  const known = [
    { test: 'a', lines: { f: [1, 2] }, took: 10 },
    { test: 'b', lines: { f: [2] }, took: 1 },
    { test: 'c', lines: { f: [1, 2, 3, 4, 5, 6] }, took: 20 },
    { test: 'd', lines: { f: [1] }, took: 10 },
    { test: 'e', lines: { g: [1] }, took: 1 },
  ].map((test) => ({ ...test, hash: '' }));
  const chosen = (maxTime: number) =>
    bestTests(known, { file: 'f', line: 1 }, maxTime).map(({ test: name }) => name);
  expect(chosen(1_000)).toEqual(['c', 'a', 'd']);
  expect(chosen(30)).toEqual(['c', 'a']);
  expect(chosen(1)).toEqual(['c']);
});

test('a mutant that nothing executes counts as one that survived', () => {
  const mutant = { file: 'a.ts', line: 3, kind: 'boolean', original: 'true', replacement: 'false' };
  const results = ['killed', 'timeout', 'survived', 'not covered'] as const;
  const { text, json } = formatReport(
    results.map((result) => ({ ...mutant, result })),
    { seed: '1' },
  );
  expect(json).toMatchObject({
    killed: 2,
    survived: 2,
    share: '50.0 %',
    files: { 'a.ts': { killed: 2, survived: 2 } },
  });
  expect(text).toContain('not covered: a.ts:3 boolean: true -> false');
});
