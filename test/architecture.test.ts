import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';

const SRC = path.join(import.meta.dirname, '..', 'src');

/** Each folder's storey. `main` alone stands above all and joins them. */
const STOREYS: Readonly<Record<string, number>> = {
  ...{ main: 7, embedded: 6, simulator: 6 },
  ...{ workflows: 5, activities: 5, schedules: 5, http: 5, cli: 5 },
  engine: 4,
  ...{ collectors: 3, esi: 3, vault: 3, store: 3, metrics: 3 },
  spec: 2,
  kernel: 1,
};

const LONGEST_FILE = 260;

interface Import {
  readonly from: string;
  readonly typesOnly: boolean;
}

interface SourceFile {
  /** Below src, e.g. `engine/steps.ts`. */
  readonly name: string;
  readonly folder: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

const STATEMENT = /^(?:import|export)\s(?:(type)\s)?(?:[^;']*?\sfrom\s)?'([^']+)';/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'/g;

function importsOf(text: string): Import[] {
  const statements = [...text.matchAll(STATEMENT)].map((m) => ({ from: m[2]!, typesOnly: m[1] === 'type' }));
  const dynamic = [...text.matchAll(DYNAMIC)].map((m) => ({ from: m[1]!, typesOnly: false }));
  return [...statements, ...dynamic];
}

const files: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts') && !name.startsWith('store/generated/'))
  .map((name) => {
    const text = readFileSync(path.join(SRC, name), 'utf8');
    return { name, folder: name.split('/')[0]!, text, imports: importsOf(text) };
  });

/** Imports of our own files: the importing file, and the imported one below src. */
const edges = files.flatMap((file) =>
  file.imports
    .filter(({ from }) => from.startsWith('.'))
    .map(({ from, typesOnly }) => ({
      file,
      typesOnly,
      target: path.posix.normalize(path.posix.join(path.posix.dirname(file.name), from)),
    })),
);

const told = (list: readonly { file: SourceFile; target: string }[]) =>
  list.map(({ file, target }) => `${file.name} -> ${target}`);

describe('storeys', () => {
  test('every folder of src has its storey, and the imports are seen', () => {
    expect([...new Set(files.map((file) => file.folder))].filter((folder) => !(folder in STOREYS))).toEqual(
      [],
    );
    expect(edges.length).toBeGreaterThan(files.length);
    expect(edges.filter(({ target }) => target.startsWith('..'))).toEqual([]);
  });

  test('a file imports from its own folder and from lower storeys only', () => {
    const wrong = edges.filter(({ file, target, typesOnly }) => {
      const folder = target.split('/')[0]!;
      if (folder === file.folder) return false;
      if (typesOnly && file.folder === 'workflows' && folder === 'activities') return false;
      return STOREYS[folder]! >= STOREYS[file.folder]!;
    });
    expect(told(wrong)).toEqual([]);
  });

  test('workflows import Temporal, themselves, the plain steps, and types', () => {
    const ours = files.filter((file) => file.folder === 'workflows');
    const packages = ours.flatMap((file) => file.imports).filter(({ from }) => !from.startsWith('.'));
    const allowed = ['@temporalio/workflow', '@temporalio/common'];
    expect(packages.map(({ from }) => from).filter((from) => !allowed.includes(from))).toEqual([]);
    const values = edges.filter(
      ({ file, target, typesOnly }) =>
        file.folder === 'workflows' &&
        !typesOnly &&
        !target.startsWith('workflows/') &&
        target !== 'engine/steps.ts',
    );
    expect(told(values)).toEqual([]);
    const steps = files.find((file) => file.name === 'engine/steps.ts');
    expect(steps?.imports.filter(({ typesOnly }) => !typesOnly)).toEqual([]);
  });
});

test('every collector is in the list', () => {
  const others = new Set(['define.ts', 'index.ts']);
  const list = files.find((file) => file.name === 'collectors/index.ts')!.imports.map(({ from }) => from);
  const missing = files
    .filter((file) => file.folder === 'collectors')
    .map((file) => path.posix.basename(file.name))
    .filter((name) => !others.has(name) && !list.includes(`./${name}`));
  expect(missing).toEqual([]);
});

/** Lines that hold code: blank ones and those of a comment are not counted. */
function codeLines(text: string): number {
  const code = text.replaceAll(/^\s*\/\*[\s\S]*?\*\//gm, '').split('\n');
  return code.filter((line) => line.trim() !== '' && !line.trim().startsWith('//')).length;
}

describe('files', () => {
  test('are short', () => {
    const long = files.filter((file) => codeLines(file.text) > LONGEST_FILE);
    expect(long.map((file) => `${file.name}: ${codeLines(file.text)}`)).toEqual([]);
  });

  test('have no default export and nothing left to do', () => {
    expect(files.filter((file) => /^export default\b/m.test(file.text)).map((file) => file.name)).toEqual([]);
    expect(files.filter((file) => /\bTODO\b/.test(file.text)).map((file) => file.name)).toEqual([]);
  });
});
