import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { startEmbeddedTemporal, type EmbeddedTemporal } from '../../src/embedded/temporal.ts';
import { silentLog } from '../../src/lib/log.ts';
import { testTemporalCli } from '../support/temporal-cli.ts';
import { temporaryFolder } from './holder.ts';

/** A folder for the embedded servers of one test. */
export interface TemporalFolder {
  readonly dir: string;
  readonly cliPath: string;
  /** Starts a server on the folder. It is stopped after the test. */
  start(): Promise<EmbeddedTemporal>;
}

/** Gives each test of the file a folder of its own and stops its servers. The result is filled before each test. */
export function useTemporalFolder(): TemporalFolder {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let cliPath = '';
  const running: EmbeddedTemporal[] = [];
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
  return {
    get dir() {
      return folder.dir;
    },
    get cliPath() {
      return cliPath;
    },
    async start() {
      const { dir } = folder;
      const server = await startEmbeddedTemporal({ dir, cliPath, namespace: 'default', log: silentLog });
      running.push(server);
      return server;
    },
  };
}

/** Runs `use` with a client of the server at `address`. */
export async function withClient<T>(address: string, use: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await use(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

/** Starts a workflow that no worker serves: it stays in the server's state. */
export const startWorkflow = (address: string) =>
  withClient(address, async (client) => {
    await client.workflow.start('waiting', { workflowId: 'kept', taskQueue: 'nobody' });
  });

/** The status of the workflow that `startWorkflow` started. */
export const workflowStatus = (address: string) =>
  withClient(address, async (client) => (await client.workflow.getHandle('kept').describe()).status.name);
