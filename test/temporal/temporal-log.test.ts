import { ActivityFailure, ApplicationFailure, RetryState } from '@temporalio/common';
import type { LogEntry } from '@temporalio/worker';
import { expect, test } from '@jest/globals';
import { DAY, HOUR } from '../../src/lib/duration.ts';
import { type Log, silentLog } from '../../src/lib/log.ts';
import { createTemporalLog } from '../../src/temporal/temporal-log.ts';

let now = 0;
const warnings: unknown[] = [];
const log: Log = {
  ...silentLog,
  warn: (fields, message) => void warnings.push([fields, message]),
};
const write = createTemporalLog(log, () => now);
const send = (message: string, workflowId: string, error: unknown, level: LogEntry['level'] = 'WARN') =>
  write({ level, message, timestampNanos: 0n, meta: { workflowId, attempt: 1, taskToken: 'x', error } });

const final = (message: string) => ApplicationFailure.nonRetryable(message, 'ESI_STATUS');
const passing = (message: string) => ApplicationFailure.retryable(message, 'ESI_STATUS');
const ofStep = (cause: Error) =>
  new ActivityFailure('Activity task failed', 'begin', '1', RetryState.NON_RETRYABLE_FAILURE, '', cause);
const taken = () => warnings.splice(0);

test('one cause is one line, whatever fails of it and however often', () => {
  const gone = final('Region 10000099 does not exist.');
  for (let minute = 0; minute < 60; minute += 5) {
    now = minute * 60_000;
    send('Activity failed', 'market-orders/region/10000099', gone);
    send('Workflow failed', 'market-orders/region/10000099', ofStep(gone));
    send('Workflow failed', 'market-orders', ofStep(gone)); // all targets failed
  }
  expect(taken()).toEqual([
    [{ run: 'market-orders/region/10000099' }, 'a run failed: Region 10000099 does not exist.'],
  ]);
  now = DAY + 1;
  send('Workflow failed', 'market-orders/region/10000099', ofStep(gone));
  expect(taken()).toHaveLength(1);
});

test('a step that is attempted again is told once an hour, and its run not again', () => {
  const busy = passing('ESI is busy.');
  for (let attempt = 0; attempt < 5; attempt++) send('Activity failed', 'market-prices', busy);
  send('Workflow failed', 'market-prices', ofStep(busy));
  send('Activity failed', 'wallet/character/1', passing('Another cause.'));
  expect(taken()).toEqual([
    [{ run: 'market-prices' }, 'a step of a run failed: ESI is busy.'],
    [{ run: 'wallet/character/1' }, 'a step of a run failed: Another cause.'],
  ]);
  now += HOUR;
  send('Activity failed', 'market-prices', busy);
  expect(taken()).toHaveLength(1);
});

test('other messages of the SDK are logged as they are, those about starting at debug', () => {
  send('Worker state changed', '', undefined, 'INFO');
  send('Failed to poll', 'x', new Error('no connection'));
  expect(taken()).toEqual([[{ workflowId: 'x', attempt: 1, error: 'no connection' }, 'Failed to poll']]);
});
