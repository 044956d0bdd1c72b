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
    throw new Error('the global set-up starts Temporal and names it in EVE_TEST_TEMPORAL_ADDRESS');
  return address;
}

/** Asks until `ask` gives something other than undefined or false; throws with `what` when the time is over. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  ms = 20_000,
): Promise<T> {
  let last: unknown;
  for (const until = Date.now() + ms; Date.now() < until; await new Promise((next) => setTimeout(next, 50))) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`${what}: not within ${ms / 1_000} s`, { cause: last });
}

/** A namespace of its own on the shared server: task queues and schedules have fixed names. */
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
  // The server's parts hear of a new namespace one after another.
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
