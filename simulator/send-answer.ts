import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { matchesTag, unpack } from './packed-body.ts';
import type { Call } from './esi-call.ts';
import type { Content } from './route-content.ts';
import type { AnswerFault, FaultOf } from './faults.ts';

export type Headers = Record<string, string>;

/** The headers of every answer. The date is the world's, shifted by the clock-skew fault. */
export function baseHeaders(now: number, skew: number): Headers {
  return {
    Date: new Date(now + skew).toUTCString(),
    'Content-Type': 'application/json; charset=UTF-8',
    'Access-Control-Allow-Origin': '*',
    'X-Compatibility-Date': '2020-01-01', // the date of the route's version, not the one requested
    Vary: 'Accept-Encoding, Accept-Language, X-Compatibility-Date',
  };
}

/** The headers of a cacheable answer, which are the same on 200 and 304. */
export function cacheHeaders(content: Content, skew: number): Headers {
  if (content.status !== 200) return {};
  const headers: Headers = { 'Cache-Control': 'public', ETag: content.body.etag };
  const shifted = (time: Date) => new Date(time.getTime() + skew).toUTCString();
  if (content.lastModified) headers['Last-Modified'] = shifted(content.lastModified);
  if (content.expires) headers.Expires = shifted(content.expires);
  if (content.pages !== undefined) headers['X-Pages'] = String(content.pages);
  return headers;
}

/** Whether the caller already has this content. */
export function isKnown(call: Call, content: Content): boolean {
  const given = call.header('if-none-match');
  return content.status === 200 && given !== undefined && matchesTag(given, content.body.etag);
}

/** Sends a content, packed if the caller accepts gzip. */
export function sendContent(response: ServerResponse, call: Call, content: Content, headers: Headers): void {
  const packed = (call.header('accept-encoding') ?? '').includes('gzip');
  const body = packed ? content.body.gzip : unpack(content.body);
  response.writeHead(content.status, {
    ...headers,
    ...(packed ? { 'Content-Encoding': 'gzip' } : {}),
    'Content-Length': String(body.length),
  });
  response.end(call.method === 'HEAD' ? undefined : body);
}

/** Announces the whole data, sends half of it and drops the connection. */
function sendHalfThenDrop(response: ServerResponse, data: Buffer, headers: Headers): void {
  response.writeHead(200, { ...headers, 'Content-Length': String(data.length) });
  response.write(data.subarray(0, Math.ceil(data.length / 2)), () => response.destroy());
}

/** The headers have been sent by then. A reset discards what is still in the buffers. */
const RESET_AFTER_MS = 20;

/** Announces the whole body, sends the headers and resets the connection. */
async function sendHeadersThenReset(
  response: ServerResponse,
  length: number,
  headers: Headers,
): Promise<void> {
  response.writeHead(200, { ...headers, 'Content-Length': String(Math.max(length, 1)) }).flushHeaders();
  await delay(RESET_AFTER_MS);
  response.socket?.resetAndDestroy();
}

/** As much as a socket takes at once. The spaces are well-formed JSON as far as they go. */
const CHUNK = Buffer.alloc(65_536, ' ');

/** Sends an answer of any size without announcing its length. */
async function sendOversized(response: ServerResponse, bytes: number, headers: Headers): Promise<void> {
  response.writeHead(200, headers);
  for (let left = bytes; left > 0 && !response.destroyed; left -= CHUNK.length) {
    const isFlowing = response.write(left >= CHUNK.length ? CHUNK : CHUNK.subarray(0, left));
    if (!isFlowing)
      await Promise.race([new Promise((resolve) => response.once('drain', resolve)), delay(50)]);
  }
  response.end();
}

/** Sends a whole answer byte by byte, until the caller has enough of it. */
async function drip(
  response: ServerResponse,
  { data, headers }: InterruptedAnswer,
  ms: number,
): Promise<void> {
  response.writeHead(200, { ...headers, 'Content-Length': String(data.length) });
  for (let at = 0; at < data.length && !response.destroyed; at++) {
    response.write(data.subarray(at, at + 1));
    await delay(ms);
  }
  response.end();
}

/** Sends a text as it is. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string | Buffer,
  headers: Headers,
): void {
  response.writeHead(status, { ...headers, 'Content-Length': String(Buffer.byteLength(text)) });
  response.end(text);
}

function sendStatus(response: ServerResponse, fault: FaultOf<'status'>, headers: Headers): void {
  const retry = fault.retryAfter === undefined ? {} : { 'Retry-After': String(fault.retryAfter) };
  if (fault.code === 204) {
    response.writeHead(204, headers).end();
    return;
  }
  const text = JSON.stringify(fault.body ?? { error: `Simulated status ${fault.code}` });
  sendText(response, fault.code, text, { ...headers, ...retry });
}

/** The whole answer that a fault interrupts. */
export interface InterruptedAnswer {
  data: Buffer;
  headers: Headers;
}

/** Sends the answer of a fault. `prepare` makes the whole answer, for faults that interrupt it. */
export async function sendFaultAnswer(
  response: ServerResponse,
  fault: AnswerFault,
  headers: Headers,
  prepare: () => InterruptedAnswer | Promise<InterruptedAnswer>,
): Promise<void> {
  if (fault.kind === 'hang') return;
  if (fault.kind === 'reset') response.socket?.destroy();
  else if (fault.kind === 'status') sendStatus(response, fault, headers);
  else if (fault.kind === 'body') sendText(response, 200, fault.body, { ...headers, ...fault.headers });
  else if (fault.kind === 'oversize') await sendOversized(response, fault.bytes, headers);
  else {
    const whole = await prepare();
    if (fault.kind === 'drip') await drip(response, whole, fault.ms);
    else if (fault.kind === 'truncate') sendHalfThenDrop(response, whole.data, whole.headers);
    else await sendHeadersThenReset(response, whole.data.length, whole.headers);
  }
}
