import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';

const SRC = path.join(import.meta.dirname, '..', 'src');

/** The modules of src and their layers: a file imports from its own module and from lower layers. */
const LAYERS: readonly (readonly string[])[] = [
  ['lib'],
  ['esi/facts'],
  ['collectors'],
  ['esi', 'sso', 'secrets', 'store', 'metrics', 'embedded'],
  ['engine'],
  ['temporal', 'http'],
  ['app'],
  ['demo'],
  ['cli'],
];

const layerOf = (module: string) => LAYERS.findIndex((modules) => modules.includes(module));

/** The module of a path below src. */
function moduleOf(name: string): string {
  return name.startsWith('esi/facts/') ? 'esi/facts' : name.split('/')[0]!;
}

const LONGEST_FILE = 260;

interface Import {
  readonly from: string;
  readonly typesOnly: boolean;
  /** Loaded when the code calls `import()`, not when the file is loaded. */
  readonly dynamic: boolean;
}

interface SourceFile {
  /** Below src, e.g. `engine/steps.ts`. */
  readonly name: string;
  readonly module: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

const STATEMENT = /^(?:import|export)\s(?:(type)\s)?(?:[^;']*?\sfrom\s)?'([^']+)';/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'/g;

function importsOf(text: string): Import[] {
  const statements = [...text.matchAll(STATEMENT)].map((m) => ({
    from: m[2]!,
    typesOnly: m[1] === 'type',
    dynamic: false,
  }));
  const dynamic = [...text.matchAll(DYNAMIC)].map((m) => ({ from: m[1]!, typesOnly: false, dynamic: true }));
  return [...statements, ...dynamic];
}

/** Names of the TypeScript files below a folder, with forward slashes. */
const listFiles = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));

const files: readonly SourceFile[] = listFiles(SRC)
  .filter((name) => !name.startsWith('store/generated/'))
  .map((name) => {
    const text = readFileSync(path.join(SRC, name), 'utf8');
    return { name, module: moduleOf(name), text, imports: importsOf(text) };
  });

/** The path below src of what `name` imports from `from`. */
function resolveImport(name: string, from: string): string {
  return path.posix.normalize(path.posix.join(path.posix.dirname(name), from));
}

/** Imports of our own files: the importing file, and the imported one below src. */
const edges = files.flatMap((file) =>
  file.imports
    .filter(({ from }) => from.startsWith('.'))
    .map(({ from, typesOnly, dynamic }) => ({
      file,
      typesOnly,
      dynamic,
      target: resolveImport(file.name, from),
    })),
);

const formatEdges = (list: readonly { file: SourceFile; target: string }[]) =>
  list.map(({ file, target }) => `${file.name} -> ${target}`);

/** Code outside their folder that workflows run. */
const WORKFLOW_CODE = ['engine/run/run-driver.ts', 'lib/concurrency.ts', 'lib/duration.ts', 'lib/format.ts'];

describe('layers', () => {
  test('every file is in a module, and the imports are seen', () => {
    expect(files.filter(({ module }) => layerOf(module) < 0).map(({ name }) => name)).toEqual([]);
    expect(edges.length).toBeGreaterThan(files.length);
  });

  test('a file imports from its own module and from lower layers only', () => {
    const wrong = edges.filter(({ file, target }) => {
      const module = moduleOf(target);
      return module !== file.module && layerOf(module) >= layerOf(file.module);
    });
    expect(formatEdges(wrong)).toEqual([]);
  });

  test('only the demo loads the simulated ESI, and only when it is called', () => {
    const outside = edges.filter(({ target }) => target.startsWith('..'));
    const wrong = outside.filter(
      ({ file, typesOnly, dynamic }) => file.module !== 'demo' || !(typesOnly || dynamic),
    );
    expect(formatEdges(wrong)).toEqual([]);
  });

  test('workflows load Temporal and the run driver only, and otherwise import types', () => {
    const workflows = files.filter(({ name }) => name.startsWith('temporal/workflows/'));
    const packages = workflows.flatMap((file) => file.imports).filter(({ from }) => !from.startsWith('.'));
    const allowed = ['@temporalio/workflow', '@temporalio/common'];
    expect(packages.map(({ from }) => from).filter((from) => !allowed.includes(from))).toEqual([]);
    // Workflow code is bundled and must be deterministic: nothing else may get into the bundle.
    const isBundled = (name: string) =>
      name.startsWith('temporal/workflows/') || WORKFLOW_CODE.includes(name);
    const wrong = edges.filter(
      ({ file, target, typesOnly }) => isBundled(file.name) && !typesOnly && !isBundled(target),
    );
    expect(formatEdges(wrong)).toEqual([]);
    expect(WORKFLOW_CODE.flatMap(loadedPackages)).toEqual([]);
  });
});

/** The files that each file of a top-level folder imports, below the repository: `src/lib/clock.ts`. */
function importGraph(folder: string): Map<string, string[]> {
  const root = path.join(SRC, '..', folder);
  const names = listFiles(root).map((name) => path.posix.join(folder, name));
  return new Map(
    names.map((name) => {
      const imports = importsOf(readFileSync(path.join(SRC, '..', name), 'utf8'));
      const own = imports.filter(({ from }) => from.startsWith('.'));
      return [name, own.map(({ from }) => path.posix.join(path.posix.dirname(name), from))];
    }),
  );
}

/** The first import cycle of a graph, as the files that it goes through. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name];
    if (done.has(name)) return undefined;
    for (const target of graph.get(name) ?? []) {
      const cycle = visit(target, [...trail, name]);
      if (cycle) return cycle;
    }
    done.add(name);
    return undefined;
  };
  for (const name of graph.keys()) {
    const cycle = visit(name, []);
    if (cycle) return cycle;
  }
  return undefined;
}

describe('imports between top-level folders', () => {
  test('the simulator needs nothing of src but a clock', () => {
    const targets = [...importGraph('simulator').values()].flat();
    expect([...new Set(targets.filter((target) => !target.startsWith('simulator/')))]).toEqual([
      'src/lib/clock.ts',
    ]);
  });

  test.each(['src', 'simulator', 'bench', 'test'])(
    'no files of %s import each other in a cycle',
    (folder) => {
      expect(findCycle(importGraph(folder))).toBeUndefined();
    },
  );

  test('tests import nothing from the benches', () => {
    const targets = [...importGraph('test').values()].flat();
    expect(targets.filter((target) => target.startsWith('bench/'))).toEqual([]);
  });
});

/** Packages that are loaded together with a file of src. */
function loadedPackages(name: string): string[] {
  const packages = new Set<string>();
  const pending = [name];
  const seen = new Set(pending);
  for (let next = pending.pop(); next; next = pending.pop()) {
    const file = files.find((one) => one.name === next);
    for (const { from, typesOnly, dynamic } of file?.imports ?? []) {
      if (typesOnly || dynamic) continue;
      if (!from.startsWith('.')) {
        if (!from.startsWith('node:')) packages.add(from);
        continue;
      }
      const target = resolveImport(next, from);
      if (!seen.has(target)) pending.push(target);
      seen.add(target);
    }
  }
  return [...packages].toSorted();
}

describe('commands load what they need only', () => {
  // Each takes tenths of a second of CPU to load; Temporal's native core takes a whole one.
  const HEAVY = /^(@temporalio|@hono|hono|@prisma|undici|jose|pino)/;

  test('the command line with its help', () => {
    expect(loadedPackages('cli/main.ts')).toEqual(['commander', 'zod']);
  });

  test.each(['status', 'budget', 'pause', 'assign', 'tokens'])(
    '%s, until it opens the database',
    (command) => {
      const packages = loadedPackages(`cli/commands/${command}-command.ts`);
      expect(packages.filter((name) => HEAVY.test(name))).toEqual([]);
    },
  );

  test('no command but up, demo and worker loads the worker of Temporal', () => {
    const commands = files.filter(({ name }) => name.startsWith('cli/commands/'));
    const loading = [...commands, ...['app/create-app.ts', 'temporal/connect.ts'].map((name) => ({ name }))]
      .map(({ name }) => name)
      .filter((name) => loadedPackages(name).includes('@temporalio/worker'));
    expect(loading).toEqual(['demo', 'up', 'worker'].map((command) => `cli/commands/${command}-command.ts`));
  });
});

describe('the text of src', () => {
  test('no two files have the same name', () => {
    const names = files.map(({ name }) => path.basename(name)).filter((name) => name !== 'index.ts');
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  test('reads the environment in app/settings.ts only, apart from what embedded servers inherit', () => {
    const reading = files.filter(({ text }) => /\bprocess\.env\b/.test(text)).map(({ name }) => name);
    expect(reading.filter((name) => !name.startsWith('embedded/'))).toEqual(['app/settings.ts']);
  });

  test('does not pack fields or elements into spread literals', () => {
    // `...{ a, b }` and `...[a, b]` say no more than `a, b`. Conditions (`...(x ? { a } : {})`), calls on a list
    // (`...[a, b].map(f)`) and copies (`[...[...a]]`) do.
    const packed = files.flatMap(({ name, text }) =>
      [...text.matchAll(/\.\.\.(?:\{|\[(?!\.\.\.)(?!.*\]\.)).*/g)].map(([line]) => `${name}: ${line}`),
    );
    expect(packed).toEqual([]);
  });
});

test('every collector is in the list', () => {
  const others = new Set(['define.ts', 'index.ts', 'targets.ts', 'vocabulary.ts']);
  const list = files.find((file) => file.name === 'collectors/index.ts')!.imports.map(({ from }) => from);
  const missing = files
    .filter((file) => file.module === 'collectors')
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
