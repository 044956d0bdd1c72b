import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';

/** Runs stay visible for a week; the development server's own choice is a day, too short to look into last night. */
const RETENTION_SECONDS = 7 * 24 * 3_600;

/** A server on loopback that does not answer within this is not ready; the caller asks again. */
const CONNECT_MS = 2_000;

/**
 * Asks the server for the namespace and sets how long it keeps closed runs. Fails while the server is not ready, and
 * so is the readiness check too.
 */
export async function checkNamespace(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: CONNECT_MS });
  try {
    const service = connection.workflowService;
    const { config } = await service.describeNamespace({ namespace });
    if (Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) === RETENTION_SECONDS) return;
    const retention = msToTs(RETENTION_SECONDS * 1_000);
    await service.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl: retention } });
  } finally {
    await connection.close();
  }
}
