import { expect, test } from '@jest/globals';
import { CircuitBreaker, CircuitOpenError } from '../../src/esi/circuit-breaker.ts';
import { testClock } from '../support/test-clock.ts';

const FAILURE = new Error('the server is down');
const OTHER = new Error('not the server’s fault');

const succeed = () => Promise.resolve('ok');
const fail = () => Promise.reject(FAILURE);

function start() {
  const clock = testClock();
  const isFailure = (error: unknown) => error === FAILURE;
  const breaker = new CircuitBreaker({ clock, maxFailures: 3, resetAfter: 30_000, isFailure });
  return { clock, breaker };
}

async function failTimes(breaker: CircuitBreaker, times: number): Promise<void> {
  for (let n = 0; n < times; n++) await expect(breaker.execute(fail)).rejects.toBe(FAILURE);
}

test('the breaker opens after the configured number of failures in a row', async () => {
  const { breaker } = start();
  await failTimes(breaker, 2);
  await breaker.execute(succeed);
  await failTimes(breaker, 2);
  await expect(breaker.execute(() => Promise.reject(OTHER))).rejects.toBe(OTHER); // does not reset the count
  await failTimes(breaker, 1);
  await expect(breaker.execute(succeed)).rejects.toBeInstanceOf(CircuitOpenError);
});

test('a failed probe opens the breaker for another period, a good one closes it', async () => {
  const { breaker, clock } = start();
  await failTimes(breaker, 3);
  clock.advance(30_000);
  await failTimes(breaker, 1);
  clock.advance(29_999);
  await expect(breaker.execute(succeed)).rejects.toBeInstanceOf(CircuitOpenError);
  clock.advance(1);
  expect(await breaker.execute(succeed)).toBe('ok');
  await failTimes(breaker, 2);
  expect(await breaker.execute(succeed)).toBe('ok');
});

test.each([
  ['good', succeed, ['ok', 'ok']],
  ['failed', fail, ['The circuit breaker is open.', 'The circuit breaker is open.']],
])('calls that arrive during a probe wait for its result (%s)', async (_, answer, expected) => {
  const { breaker, clock } = start();
  await failTimes(breaker, 3);
  clock.advance(30_000);
  let end: () => void = () => undefined;
  const answered = new Promise<void>((resolve) => (end = resolve));
  const probe = breaker.execute(() => answered.then(answer)).catch(() => undefined);
  let calls = 0;
  const call = () => {
    calls++;
    return succeed();
  };
  const waiting = [1, 2].map(() => breaker.execute(call).catch((error: Error) => error.message));
  await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toBe(0);
  end();
  await probe;
  expect(await Promise.all(waiting)).toEqual(expected);
});

test('a success from before the breaker opened does not close it', async () => {
  const { breaker } = start();
  let end: () => void = () => undefined;
  const early = breaker.execute(() => new Promise<void>((resolve) => (end = resolve)));
  await failTimes(breaker, 3);
  end();
  await early;
  await expect(breaker.execute(succeed)).rejects.toBeInstanceOf(CircuitOpenError);
});
