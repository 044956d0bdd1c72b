import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { processStart } from '../../src/embedded/processes.ts';
import type { EmbeddedTemporal } from '../../src/embedded/temporal.ts';
import { startHolder } from './holder.ts';
import { startWorkflow, useTemporalFolder, workflowStatus } from './temporal-folder.ts';

const temporal = useTemporalFolder();

test('a start takes over the Temporal server that a killed process left behind', async () => {
  const other = await startHolder<EmbeddedTemporal>('temporal', temporal.dir, temporal.cliPath);
  await startWorkflow(other.held.address);
  await other.kill('SIGKILL');
  expect(await processStart(other.held.pid)).toBeDefined();
  const { address } = await temporal.start();
  expect(await processStart(other.held.pid)).toBeUndefined();
  expect(address).toBe(other.held.address);
  expect(await workflowStatus(address)).toBe('RUNNING');
});

test('a start takes over a left Temporal server without a valid pid file', async () => {
  const other = await startHolder<EmbeddedTemporal>('temporal', temporal.dir, temporal.cliPath);
  await other.kill('SIGKILL');
  await writeFile(join(temporal.dir, 'temporal.pid'), '{"pid":');
  await temporal.start();
  expect(await processStart(other.held.pid)).toBeUndefined();
});

test('a start does not end a foreign process that has the recorded process id', async () => {
  await writeFile(join(temporal.dir, 'temporal.pid'), JSON.stringify({ pid: process.ppid, start: 'boot-1' }));
  await temporal.start();
  expect(await processStart(process.ppid)).toBeDefined();
});

test('an embedded Temporal server does not receive the terminal’s Ctrl-C', async () => {
  const other = await startHolder<EmbeddedTemporal>('temporal', temporal.dir, temporal.cliPath);
  await other.kill('SIGINT');
  await sleep(300); // a server that had got the signal would have begun to refuse by then
  await startWorkflow(other.held.address);
  await temporal.start(); // takes it over, so that it ends with the test
});
