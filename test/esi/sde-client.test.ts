import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createSdeClient, type SdeClient } from '../../src/esi/sde-client.ts';
import { testClock } from '../support/test-clock.ts';
import { TEST_USER_AGENT } from '../support/test-user-agent.ts';

/** A server that redirects `/tranquility/latest.jsonl` where the test says, and serves the export at `/moved`. */
async function startServer() {
  const state = { location: '/moved', requests: 0 };
  const server: Server = createServer((request, response) => {
    state.requests++;
    if (request.url === '/moved') response.end('{"_key":"sde","buildNumber":7}\n');
    else response.writeHead(302, { location: state.location }).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return { state, port, url: `http://127.0.0.1:${port}`, server };
}

let ours: Awaited<ReturnType<typeof startServer>>;
let other: Awaited<ReturnType<typeof startServer>>;
let sde: SdeClient;
beforeEach(async () => {
  [ours, other] = await Promise.all([startServer(), startServer()]);
  sde = createSdeClient({ baseUrl: ours.url, userAgent: TEST_USER_AGENT, dir: tmpdir(), clock: testClock() });
});
afterEach(async () => {
  await sde.close();
  for (const { server } of [ours, other]) await new Promise((resolve) => server.close(resolve));
});

test('a redirection of the static data export on the same host is followed', async () => {
  expect(await sde.latest()).toEqual({ build: 7 });
  ours.state.location = `${ours.url}/moved`;
  expect(await sde.latest()).toEqual({ build: 7 });
});

test('a redirection of the static data export to another host is not followed', async () => {
  for (const location of [
    `${other.url}/moved`,
    `//localhost:${ours.port}/moved`,
    'file:///etc/passwd',
    'https:',
  ]) {
    ours.state.location = location;
    await expect(sde.latest()).rejects.toMatchObject({
      code: 'SDE_UNREACHABLE',
      message: expect.stringContaining('redirected to another address') as unknown,
    });
  }
  expect(other.state.requests).toBe(0);
});

test('redirections of the static data export are followed three times', async () => {
  ours.state.location = '/again';
  await expect(sde.latest()).rejects.toMatchObject({ code: 'SDE_UNREACHABLE' });
  expect(ours.state.requests).toBe(3 * 4); // three attempts of a request and three redirections
});
