import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';

export interface TestTemporal {
  readonly address: string;
  readonly namespace: string;
  readonly client: Client;
  close(): Promise<void>;
}

/** The shared server of the test run. */
export function temporalAddress(): string {
  const address = process.env['EVE_TEST_TEMPORAL_ADDRESS'];
  if (!address)
    throw new Error('EVE_TEST_TEMPORAL_ADDRESS is not set: the global set-up starts Temporal and sets it');
  return address;
}

/** Calls `read` until it returns something other than undefined or false. Throws with `what` after `ms`. */
export async function eventually<T>(
  what: string,
  read: () => Promise<T | undefined | false>,
  ms = 20_000,
): Promise<T> {
  let lastError: unknown;
  for (const until = Date.now() + ms; Date.now() < until; await new Promise((next) => setTimeout(next, 50))) {
    try {
      const value = await read();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      lastError = error;
    }
  }
  throw new Error(`${what}: not within ${ms / 1_000} s`, { cause: lastError });
}

/** A new namespace on the shared server. Task queues and schedules have fixed names, so files must not share one. */
export async function testTemporal(): Promise<TestTemporal> {
  const address = temporalAddress();
  const namespace = `test-${randomBytes(6).toString('hex')}`;
  const connection = await Connection.connect({ address });
  const retention = msToTs('1 day');
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: retention,
  });
  const client = new Client({ connection, namespace });
  // The server's services learn of a new namespace one after another.
  await eventually('the namespace', async () => {
    await client.workflow.count();
    await client.workflow.start('nothing', { workflowId: 'nothing', taskQueue: 'nobody' });
    await client.workflow.getHandle('nothing').terminate();
    return true;
  });
  return {
    address,
    namespace,
    client,
    async close() {
      await connection.operatorService.deleteNamespace({ namespace }).catch(() => undefined);
      await connection.close();
    },
  };
}
