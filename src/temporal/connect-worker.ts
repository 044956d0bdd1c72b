import { NativeConnection } from '@temporalio/worker';
import { connectionOptions, connectWithRetry, type TemporalOptions } from './connect.ts';

/**
 * The connection that workers poll through. Throws AppError TEMPORAL_UNREACHABLE. It is separate from `connectClient`
 * because it loads Temporal's native core, which takes a second that commands without a worker need not spend.
 */
export async function connectWorker(options: TemporalOptions): Promise<NativeConnection> {
  const connectOptions = await connectionOptions(options);
  return connectWithRetry(options.address, () => NativeConnection.connect(connectOptions));
}
