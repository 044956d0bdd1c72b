import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities.ts';

/**
 * Speaks to ESI. A dead worker shows within the heartbeat's 40 s: longer than a request may take (15 s to the headers
 * and 15 s between parts of the body), since there is a sign of life before each try and every 4 s of waiting. An hour
 * of ESI being away is sat out; then the run ends, and the next one begins anew.
 */
export const esi = proxyActivities<Activities>({
  taskQueue: 'esi',
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '40 seconds',
  scheduleToCloseTimeout: '1 hour',
  // A cancelled run ends when its requests and writes have: nothing is published behind its back.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '5 seconds', maximumInterval: '1 minute' },
});

/** The same, tried once and ahead of runs: whoever comes a minute later does it as well. */
export const esiOnce = proxyActivities<Activities>({
  taskQueue: 'esi',
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '40 seconds',
  scheduleToCloseTimeout: '5 minutes',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  priority: { priorityKey: 1 },
  retry: { maximumAttempts: 1 },
});

/** Database work that a minute later is done as well: what cannot be done now holds nothing up. */
export const storeOnce = proxyActivities<Activities>({
  taskQueue: 'collect',
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '40 seconds',
  retry: { maximumAttempts: 1 },
});

/** Database work alone. A database that is away for minutes is waited for. */
export const store = proxyActivities<Activities>({
  taskQueue: 'collect',
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '40 seconds',
  scheduleToCloseTimeout: '30 minutes',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds' },
});
