import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { processStart } from '../../src/embedded/processes.ts';
import { findTemporalCli } from '../../src/embedded/temporal-cli.ts';
import { startEmbeddedTemporal, type EmbeddedTemporal } from '../../src/embedded/temporal.ts';
import { silentLog } from '../../src/lib/log.ts';
import { testTemporalCli } from '../support/temporal-cli.ts';
import { startHolder, temporaryFolder } from './holder.ts';

/** Starts a workflow that no worker serves: it stays in the server's state. */
async function withClient<T>(address: string, use: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await use(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

const startWorkflow = (address: string) =>
  withClient(address, async (client) => {
    await client.workflow.start('waiting', { workflowId: 'kept', taskQueue: 'nobody' });
  });

const workflowStatus = (address: string) =>
  withClient(address, async (client) => (await client.workflow.getHandle('kept').describe()).status.name);

describe('startEmbeddedTemporal', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let cliPath: string;
  const running: EmbeddedTemporal[] = [];
  const start = async () => {
    const server = await startEmbeddedTemporal({
      dir: folder.dir,
      cliPath,
      namespace: 'default',
      log: silentLog,
    });
    running.push(server);
    return server;
  };

  beforeAll(async () => {
    cliPath = await testTemporalCli(join(import.meta.dirname, '..', '..'));
  });
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    for (const server of running.splice(0)) await server.stop();
    await folder.remove();
  });

  test('keeps workflows and addresses over a restart, and closed runs for a week', async () => {
    const first = await start();
    await startWorkflow(first.address);
    await first.stop();
    expect(await processStart(first.pid)).toBeUndefined();
    const second = await start();
    expect([second.address, second.ui]).toEqual([first.address, first.ui]);
    expect(await workflowStatus(second.address)).toBe('RUNNING');
    expect((await fetch(second.ui)).status).toBe(200);
    const seconds = await withClient(second.address, async ({ workflowService }) => {
      const { config } = await workflowService.describeNamespace({ namespace: 'default' });
      return Number(config?.workflowExecutionRetentionTtl?.seconds);
    });
    expect(seconds).toBe(7 * 86_400);
  });

  test('takes over the server that a killed process left behind', async () => {
    const other = await startHolder<EmbeddedTemporal>('temporal', folder.dir, cliPath);
    await startWorkflow(other.held.address);
    await other.kill('SIGKILL');
    expect(await processStart(other.held.pid)).toBeDefined();
    const { address } = await start();
    expect(await processStart(other.held.pid)).toBeUndefined();
    expect(address).toBe(other.held.address);
    expect(await workflowStatus(address)).toBe('RUNNING');
  });

  test('takes it over as well when nobody wrote down its process id', async () => {
    const other = await startHolder<EmbeddedTemporal>('temporal', folder.dir, cliPath);
    await other.kill('SIGKILL');
    await writeFile(join(folder.dir, 'temporal.pid'), '{"pid":');
    await start();
    expect(await processStart(other.held.pid)).toBeUndefined();
  });

  test('leaves a foreign process alone that has the recorded id now', async () => {
    await writeFile(join(folder.dir, 'temporal.pid'), JSON.stringify({ pid: process.ppid, start: 'boot-1' }));
    await start();
    expect(await processStart(process.ppid)).toBeDefined();
  });

  test('does not get the Ctrl-C of the terminal', async () => {
    const other = await startHolder<EmbeddedTemporal>('temporal', folder.dir, cliPath);
    await other.kill('SIGINT');
    await sleep(300); // a server that had got the signal would have begun to refuse by then
    await startWorkflow(other.held.address);
    await start(); // takes it over, so that it ends with the test
  });

  test('moves the state of another version aside', async () => {
    await (await start()).stop();
    running.pop();
    await writeFile(join(folder.dir, 'temporal.db.version'), '1.0.0\n');
    await start();
    const names = await readdir(folder.dir);
    expect(names.filter((name) => name.startsWith('temporal.db.1.0.0-'))).not.toEqual([]);
  });
});

describe('findTemporalCli', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder.remove());

  test('says which setting names a CLI that does not exist or does not run', async () => {
    const find = (cliPath: string) => findTemporalCli({ cliPath, cacheDir: folder.dir, log: silentLog });
    await expect(find('/nowhere/temporal')).rejects.toMatchObject({
      code: 'TEMPORAL_CLI_PATH',
      message: expect.stringMatching(
        /TEMPORAL_CLI_PATH names \/nowhere\/temporal, which does not exist/,
      ) as unknown,
    });
    const file = join(folder.dir, 'temporal');
    await writeFile(file, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    await expect(find(file)).rejects.toMatchObject({
      message: expect.stringMatching(/is no Temporal CLI that runs/) as unknown,
    });
  });

  test('takes one from the cache without a download', async () => {
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
