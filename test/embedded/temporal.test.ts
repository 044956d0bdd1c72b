import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { processStart } from '../../src/embedded/processes.ts';
import { findTemporalCli } from '../../src/embedded/temporal-cli.ts';
import { startEmbeddedTemporal } from '../../src/embedded/temporal.ts';
import { silentLog } from '../../src/lib/log.ts';
import { temporaryFolder } from './holder.ts';
import { startWorkflow, useTemporalFolder, withClient, workflowStatus } from './temporal-folder.ts';

const temporal = useTemporalFolder();

test('an embedded Temporal server keeps workflows and addresses over a restart, and closed runs for a week', async () => {
  const first = await temporal.start();
  await startWorkflow(first.address);
  await first.stop();
  expect(await processStart(first.pid)).toBeUndefined();
  const second = await temporal.start();
  expect([second.address, second.ui]).toEqual([first.address, first.ui]);
  expect(await workflowStatus(second.address)).toBe('RUNNING');
  expect((await fetch(second.ui!)).status).toBe(200);
  const seconds = await withClient(second.address, async ({ workflowService }) => {
    const { config } = await workflowService.describeNamespace({ namespace: 'default' });
    return Number(config?.workflowExecutionRetentionTtl?.seconds);
  });
  expect(seconds).toBe(7 * 86_400);
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

  test('findTemporalCli takes a CLI from the cache without a download', async () => {
    const cached = join(folder.dir, 'temporal-1.9.1', 'temporal');
    await mkdir(join(folder.dir, 'temporal-1.9.1'));
    await writeFile(cached, '#!/bin/sh\necho "temporal version 1.9.1 (Server 1.32.0)"\n', { mode: 0o755 });
    const path = process.env['PATH'];
    process.env['PATH'] = '/usr/bin:/bin';
    try {
      expect(await findTemporalCli({ cacheDir: folder.dir, log: silentLog })).toBe(cached);
    } finally {
      process.env['PATH'] = path;
    }
  });
});
