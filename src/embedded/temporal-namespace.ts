import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';

/** A server on loopback that does not answer within this time is not ready. The caller tries again. */
const CONNECT_MS = 2_000;

/**
 * Sets how long the server retains closed runs of the namespace (s, a day at least); it holds for runs that close from now on.
 * Throws while the server is not ready, so that it serves as the readiness check.
 */
export async function setRetention(address: string, namespace: string, seconds: number): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: CONNECT_MS });
  try {
    const service = connection.workflowService;
    const { config } = await service.describeNamespace({ namespace });
    if (Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) === seconds) return;
    const retention = msToTs(seconds * 1_000);
    await service.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl: retention } });
  } finally {
    await connection.close();
  }
}
