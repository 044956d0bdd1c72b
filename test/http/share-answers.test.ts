import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { Agent, request } from 'undici';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { type Listening, listen } from '../../src/http/listen.ts';
import { testClock } from '../support/test-clock.ts';
import { EMPTY_STATUS, HEALTHY, NO_OWNERS, testApp } from './support.ts';

let server: Listening | undefined;
const agent = new Agent({ connections: 200 }); // more need more open files than some machines allow
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** A server that counts how often health and status are computed, each in 50 ms. */
async function countingServer(clock: Clock = systemClock) {
  const count = { health: 0, status: 0 };
  const app = testApp({
    clock,
    health: async () => {
      count.health++;
      await sleep(50);
      return HEALTHY;
    },
    status: async () => {
      count.status++;
      await sleep(50);
      return { ...EMPTY_STATUS, paused: `computed ${count.status} times` };
    },
    owners: { ...NO_OWNERS, deleteAssignment: async () => undefined },
  });
  server = await listen(app.fetch, { host: '127.0.0.1', port: 0, setting: 'HTTP_PORT' });
  return { url: server.url, count };
}

test.each(['/health', '/api/status', '/'])(
  '%s is computed once a second at most for 2,000 who ask at once',
  async (path) => {
    const { url, count } = await countingServer();
    const started = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 2_000 }, async () => {
        const { statusCode, headers, body } = await request(url + path, { dispatcher: agent });
        return `${statusCode} ${headers['content-type'] as string} ${headers['cache-control'] as string} ${await body.text()}`;
      }),
    );
    const seconds = Math.ceil((performance.now() - started) / 1_000);
    expect(
      answers.filter((answer) => !/^200 (text\/html|application\/json).* no-store [<{]/.test(answer)),
    ).toEqual([]);
    expect(new Set(answers).size).toBeLessThanOrEqual(seconds);
    expect(Math.max(count.health, count.status)).toBeLessThanOrEqual(seconds);
  },
);

test('an answer is computed again after a second, and after a change', async () => {
  const clock = testClock();
  const { url } = await countingServer(clock);
  const paused = async () => ((await (await fetch(`${url}/api/status`)).json()) as { paused: string }).paused;
  expect(await paused()).toBe('computed 1 times');
  expect((await fetch(`${url}/api/assignments/1`, { method: 'DELETE' })).status).toBe(204);
  expect(await paused()).toBe('computed 2 times');
  clock.advance(999);
  expect(await paused()).toBe('computed 2 times');
  clock.advance(1);
  expect(await paused()).toBe('computed 3 times');
});

test('a failure is shared as well, and is no answer for longer', async () => {
  let calls = 0;
  const clock = testClock();
  const app = testApp({
    clock,
    status: async () => {
      if (++calls === 1) throw new Error('no connection');
      return EMPTY_STATUS;
    },
  });
  const statuses = await Promise.all([1, 2, 3].map(async () => (await app.request('/api/status')).status));
  expect(statuses).toEqual([500, 500, 500]);
  expect(calls).toBe(1);
  clock.advance(1_000);
  expect((await app.request('/api/status')).status).toBe(200);
});
