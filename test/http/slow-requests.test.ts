import { connect } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { type Listening, listen } from '../../src/http/listen.ts';
import { recordingLog, testApp } from './support.ts';

let server: Listening | undefined;
afterEach(() => server?.close());

/** Sends `head`, then drips `drop` for as long as the server takes it. Returns what the server answered. */
async function drip(head: string, drop: string): Promise<string> {
  const { port } = new URL(server!.url);
  const socket = connect(Number(port), '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  socket.on('error', () => undefined); // a cut connection may end with a reset
  socket.write(head);
  const timer = setInterval(() => void socket.write(drop), 20);
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(timer);
  return answer;
}

test('a request that drips is cut, whether its headers or its body', async () => {
  const { errors, log } = recordingLog();
  const options = { host: '127.0.0.1', port: 0, setting: 'HTTP_PORT', requestTimeout: 300 };
  server = await listen(testApp({ log }).fetch, options);
  const body = [
    'POST /api/tokens/register HTTP/1.1',
    'host: localhost',
    'content-type: application/json',
    'content-length: 60000',
  ];
  const chunked = [...body.slice(0, 3), 'transfer-encoding: chunked'];
  const answers = await Promise.all([
    drip('GET /health HTTP/1.1\r\nhost: localhost\r\n', 'x-a: b\r\n'),
    drip('GET /hea', 'l'),
    drip(`${body.join('\r\n')}\r\n\r\n`, ' '),
    drip(`${chunked.join('\r\n')}\r\n\r\n`, '1\r\n \r\n'),
  ]);
  for (const answer of answers) expect(answer).toMatch(/^(HTTP\/1\.1 408 |$)/);
  expect(errors).toEqual([]); // it is no failure of this program
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
});
