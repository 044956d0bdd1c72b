import { execFile } from 'node:child_process';
import { chmod, lstat, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Simulator, startSimulator } from '../../simulator/index.ts';
import {
  type CommandRunner,
  createCommandRunner,
  interrupt,
  simulatorSettings,
} from '../support/collector-process.ts';

let sim: Simulator;
let runner: CommandRunner;
beforeAll(async () => {
  sim = await startSimulator();
  runner = await createCommandRunner({ ...simulatorSettings(sim), MARKET_REGIONS: '10000032' });
});
afterAll(async () => {
  await runner.close();
  await sim.close();
});

/** What in the data directory others may read, write or enter, as `mode path`. */
async function openToOthers(at = runner.dataDir): Promise<string[]> {
  const { mode } = await lstat(at);
  const own = (mode & 0o077) === 0 ? [] : [`${(mode & 0o777).toString(8)} ${at}`];
  if (!(await lstat(at)).isDirectory()) return own;
  const names = await readdir(at);
  // A file may be gone by now.
  const inside = names.map((name) => openToOthers(path.join(at, name)).catch(() => []));
  return [...own, ...(await Promise.all(inside)).flat()];
}

/** Starts `up` as from a shell with this umask. */
async function upUnder(umask: number) {
  const previous = process.umask(umask);
  try {
    return await runner.up();
  } finally {
    process.umask(previous);
  }
}

test("DATA_DIR and everything in it is its user's alone under any umask", async () => {
  const running = await upUnder(0o000);
  expect(await openToOthers()).toEqual([]);
  expect(await readdir(path.join(runner.dataDir, 'temporal'))).toContain('temporal.db');
  await interrupt(running);
}, 90_000);

test('what an earlier version left open in DATA_DIR is closed by the next start', async () => {
  const downloads = path.join(runner.dataDir, 'downloads');
  await mkdir(downloads, { recursive: true });
  await writeFile(path.join(downloads, 'old.zip'), 'PK');
  for (const [name, mode] of [
    ['', 0o755],
    ['temporal', 0o755],
    ['temporal/temporal.db', 0o644],
    ['downloads', 0o755],
    ['downloads/old.zip', 0o644],
  ] as const)
    await chmod(path.join(runner.dataDir, name), mode);
  const running = await upUnder(0o022);
  expect(await openToOthers()).toEqual([]);
  await interrupt(running);
}, 90_000);

test('a DATA_DIR that others may write is refused with the command that mends it', async () => {
  for (const mode of [0o777, 0o775, 0o722]) {
    await chmod(runner.dataDir, mode);
    for (const command of ['up', 'status', 'worker', 'migrate']) {
      const { code, stdout, stderr } = await runner.run(command);
      expect({ command, code, stdout }).toEqual({ command, code: 1, stdout: '' });
      expect(stderr).toContain(
        `Other users of this machine may write to the data directory ${runner.dataDir}.`,
      );
    }
  }
  const { stderr } = await runner.run('up');
  const [, command = ''] = /run "(chmod [^"]+)"/.exec(stderr) ?? [];
  await promisify(execFile)('sh', ['-c', command]);
  expect((await lstat(runner.dataDir)).mode & 0o777).toBe(0o700);
  expect((await runner.run('status')).stderr).toContain('Nothing is running');
}, 60_000);
