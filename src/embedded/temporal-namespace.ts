import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';

/** Closed runs are visible for a week. The development server's default of a day is too short to examine last night. */
const RETENTION_SECONDS = 7 * 24 * 3_600;

/** A server on loopback that does not answer within this time is not ready. The caller tries again. */
const CONNECT_MS = 2_000;

/**
 * Sets how long the server retains closed runs of the namespace. Throws while the server is not ready, so that it serves
 * as the readiness check.
 */
export async function configureNamespace(address: string, namespace: string): Promise<void> {
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
