// Builds the Prisma client, dist/, and the workflow bundle. A step whose inputs are older than its output is skipped, so
// `npm start` takes no time when nothing has changed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

/** The newest modification time of the given files and folders, in milliseconds. */
function newest(paths) {
  let time = 0;
  for (const p of paths) {
    if (!existsSync(p)) continue;
    const stat = statSync(p);
    if (stat.isDirectory()) time = Math.max(time, newest(readdirSync(p).map((f) => path.join(p, f))));
    else time = Math.max(time, stat.mtimeMs);
  }
  return time;
}

function run(command, args, env = {}) {
  const result = spawnSync(process.execPath, [command, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout}${result.stderr}`);
    process.stderr.write(`build: ${path.basename(command)} failed. Nothing was started.\n`);
    process.exit(1);
  }
}

async function step(name, inputs, work) {
  const stamp = `dist/.stamps/${name}`;
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= newest(inputs)) return;
  const started = new Date();
  await work();
  mkdirSync('dist/.stamps', { recursive: true });
  writeFileSync(stamp, started.toISOString());
}

const common = ['package-lock.json', 'scripts/build.mjs'];

// `generate` does not need the schema engine, a native download: naming any existing file keeps Prisma from fetching it.
await step('prisma', ['prisma/schema.prisma', 'prisma.config.ts', ...common], () => {
  run('node_modules/prisma/build/index.js', ['generate'], {
    PRISMA_SCHEMA_ENGINE_BINARY: path.resolve('package.json'),
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
  });
});

if (!process.argv.includes('--generate-only')) {
  // The benches and the simulation import test/support, so it is compiled with them.
  const folders = ['src', 'simulator', 'simulation', 'bench', 'scripts', 'test/support'];
  const sources = [...folders, 'tsconfig.json', 'tsconfig.build.json', ...common];
  await step('tsc', sources, () => {
    for (const folder of folders) rmSync(`dist/${folder}`, { recursive: true, force: true });
    run('node_modules/typescript/bin/tsc', ['-p', 'tsconfig.build.json']);
  });
  await step(
    'workflows',
    ['src/temporal/workflows', 'src/engine/run/run-driver.ts', 'src/lib/concurrency.ts', ...common],
    async () => {
      const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
      const { code } = await bundleWorkflowCode({
        workflowsPath: path.resolve('dist/src/temporal/workflows/index.js'),
        logger: new DefaultLogger('WARN'),
      });
      writeFileSync('dist/workflow-bundle.js', code);
    },
  );
}
