import { copyFile, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { processStart } from '../../src/embedded/processes.ts';
import { applyRetention } from '../../src/embedded/temporal-retention.ts';
import { usedBytes } from '../../src/embedded/temporal-state.ts';
import { findTemporalCli } from '../../src/embedded/temporal-cli.ts';
import { startEmbeddedTemporal } from '../../src/embedded/temporal.ts';
import { type Log, silentLog } from '../../src/lib/log.ts';
import { temporaryFolder } from './holder.ts';
import { startWorkflow, useTemporalFolder, withClient, workflowStatus } from './temporal-folder.ts';

const temporal = useTemporalFolder();

type LogLine = Record<string, unknown>;

test('an embedded Temporal server keeps workflows and addresses over a restart, and closed runs for a week', async () => {
  const first = await temporal.start();
  await startWorkflow(first.address);
  await first.stop();
  expect(await processStart(first.pid)).toBeUndefined();
  const second = await temporal.start();
  expect([second.address, second.ui]).toEqual([first.address, first.ui]);
  expect(await workflowStatus(second.address)).toBe('RUNNING');
  expect((await fetch(second.ui!)).status).toBe(200);
  expect(await retentionDays(second.address)).toBe(7);
});

const retentionDays = (address: string) =>
  withClient(address, async ({ workflowService }) => {
    const { config } = await workflowService.describeNamespace({ namespace: 'default' });
    return Number(config?.workflowExecutionRetentionTtl?.seconds) / 86_400;
  });

test('an embedded Temporal server retains closed runs for a day while its state is large', async () => {
  const first = await temporal.start();
  await startWorkflow(first.address);
  await first.stop();
  const sizes = ['temporal.db', 'temporal.db-wal'].map((name) => stat(join(temporal.dir, name)));
  const size = (await Promise.all(sizes)).reduce((sum, file) => sum + file.size, 0);
  const used = await usedBytes(temporal.dir);
  expect(used).toBeGreaterThan(100_000);
  expect(used).toBeLessThanOrEqual(size);
  const options = { dir: temporal.dir, cliPath: temporal.cliPath, namespace: 'default', log: silentLog };
  const second = await startEmbeddedTemporal({ ...options, maxStateBytes: used - 1 });
  try {
    expect(await retentionDays(second.address)).toBe(1);
    const state = { dir: temporal.dir, address: second.address, namespace: 'default' };
    await applyRetention({ ...state, maxBytes: 10 * size });
    expect(await retentionDays(second.address)).toBe(7);
  } finally {
    await second.stop();
  }
});

test('an embedded Temporal server moves the state of another version aside', async () => {
  await (await temporal.start()).stop();
  await writeFile(join(temporal.dir, 'temporal.db.version'), '1.0.0\n');
  await temporal.start();
  const names = await readdir(temporal.dir);
  expect(names.filter((name) => name.startsWith('temporal.db.1.0.0-'))).not.toEqual([]);
});

test('an embedded Temporal server works in a folder whose name a shell would run', async () => {
  const dir = join(temporal.dir, `a $(touch x) "b" 'c'`);
  const options = { dir, cliPath: temporal.cliPath, namespace: 'default', log: silentLog };
  const first = await startEmbeddedTemporal(options);
  await startWorkflow(first.address);
  await first.stop();
  const second = await startEmbeddedTemporal(options);
  const status = await workflowStatus(second.address);
  await second.stop();
  expect(status).toBe('RUNNING');
  for (const at of [dir, temporal.dir, process.cwd()]) expect(await readdir(at)).not.toContain('x');
  expect(await readdir(dir)).toContain('temporal.db');
});

describe('findTemporalCli', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder.remove());

  test('findTemporalCli names the setting when its CLI does not exist or does not run', async () => {
    const find = (cliPath: string) => findTemporalCli({ cliPath, cacheDir: folder.dir, log: silentLog });
    await expect(find('/nowhere/temporal')).rejects.toMatchObject({
      code: 'TEMPORAL_CLI_PATH',
      message: expect.stringMatching(
        /TEMPORAL_CLI_PATH="\/nowhere\/temporal" is not valid: .* does not exist/,
      ) as unknown,
    });
    const file = join(folder.dir, 'temporal');
    await writeFile(file, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    await expect(find(file)).rejects.toMatchObject({
      message: expect.stringMatching(/is not a Temporal CLI that runs/) as unknown,
    });
  });

  /** Runs `work` with this PATH, and collects what is logged. */
  async function withPath(path: string, work: (log: Log) => Promise<void>): Promise<LogLine[]> {
    const lines: LogLine[] = [];
    const write = (fields: object, message: string) => lines.push({ ...fields, message });
    const before = process.env['PATH'];
    process.env['PATH'] = path;
    try {
      await work({ ...silentLog, info: write, warn: write });
    } finally {
      process.env['PATH'] = before;
    }
    return lines;
  }

  /** A program that claims to be the CLI, and leaves the file `ran` when it is started. */
  const fake = (name: string) =>
    writeFile(name, `#!/bin/sh\ntouch ${folder.dir}/ran\necho "temporal version 1.9.1 (Server 1.32.0)"\n`, {
      mode: 0o755,
    });

  test('findTemporalCli takes the pinned CLI from the cache, whoever put it there, and starts no other', async () => {
    const [ours, sdks] = [join(folder.dir, 'temporal-1.9.1'), join(folder.dir, 'temporal-sdk')];
    await mkdir(ours);
    await mkdir(sdks);
    await fake(join(ours, 'temporal'));
    await fake(join(sdks, 'a-fake'));
    const pinned = join(sdks, 'temporal-v1.9.1');
    await copyFile(temporal.cliPath, pinned);
    const lines = await withPath('/nowhere', async (log) => {
      expect(await findTemporalCli({ cacheDir: folder.dir, log })).toBe(pinned);
    });
    expect(await readdir(folder.dir)).not.toContain('ran');
    for (const file of [join(ours, 'temporal'), join(sdks, 'a-fake')])
      expect(lines).toContainEqual({ file, message: expect.stringContaining('SHA-256 differs') as unknown });
    await copyFile(pinned, join(ours, 'temporal'));
    await withPath('/nowhere', async (log) => {
      expect(await findTemporalCli({ cacheDir: folder.dir, log })).toBe(join(ours, 'temporal'));
    });
  });

  test('findTemporalCli names the CLI on the PATH and its version', async () => {
    const file = join(folder.dir, 'temporal');
    await fake(file);
    const lines = await withPath(`${folder.dir}:/usr/bin:/bin`, async (log) => {
      expect(await findTemporalCli({ cacheDir: folder.dir, log })).toBe(file);
    });
    expect(lines).toEqual([
      {
        file,
        version: 'temporal version 1.9.1 (Server 1.32.0)',
        message: 'using the Temporal CLI on the PATH',
      },
    ]);
  });
});
