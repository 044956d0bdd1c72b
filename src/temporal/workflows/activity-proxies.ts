import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities.ts';

/**
 * A worker sends a heartbeat every 2 s whatever its activities do, so one that is silent for 5 s is dead.
 */
const HEARTBEAT_TIMEOUT = '5 seconds';

/**
 * Each kill of a worker counts as an attempt, so the interval does not grow with them: with the heartbeat timeout a run goes
 * on within 10 s. Errors of activities have intervals of their own, see runActivity.
 */
const RETRY = { initialInterval: '1 second', backoffCoefficient: 1 } as const;

/** Activities that send requests to ESI. ESI may be away for an hour; then the run ends, and the next one starts anew. */
export const esi = proxyActivities<Activities>({
  taskQueue: 'esi',
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  scheduleToCloseTimeout: '1 hour',
  // A cancelled run ends after its requests and writes have ended, so nothing is published in the background.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: RETRY,
});

/** The same, attempted once and ahead of runs, for work that the next minute repeats. */
export const esiOnce = proxyActivities<Activities>({
  taskQueue: 'esi',
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  scheduleToCloseTimeout: '5 minutes',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  priority: { priorityKey: 1 },
  retry: { maximumAttempts: 1 },
});

/** Database work. The database may be away for half an hour. */
export const store = proxyActivities<Activities>({
  taskQueue: 'collect',
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  scheduleToCloseTimeout: '30 minutes',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: RETRY,
});

/** The same, attempted once, for work that the next minute repeats. */
export const storeOnce = proxyActivities<Activities>({
  taskQueue: 'collect',
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  retry: { maximumAttempts: 1 },
});
