import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { sameTag, unpack } from './body.ts';
import type { Call } from './call.ts';
import type { Content } from './content.ts';
import type { FaultOf } from './faults.ts';

type Headers = Record<string, string>;

/** The headers of every answer. The date is the world's, shifted when the clock-skew fault says so. */
export function baseHeaders(now: number, skew: number): Headers {
  return {
    Date: new Date(now + skew).toUTCString(),
    'Content-Type': 'application/json; charset=UTF-8',
    'Access-Control-Allow-Origin': '*',
    'X-Compatibility-Date': '2020-01-01', // the date of the route's version, which is not the one asked for
    Vary: 'Accept-Encoding, Accept-Language, X-Compatibility-Date',
  };
}

/** The headers of a cacheable answer: the same on 200 and 304. */
export function cacheHeaders(content: Content, skew: number): Headers {
  if (content.status !== 200) return {};
  const headers: Headers = { 'Cache-Control': 'public', ETag: content.body.etag };
  const shifted = (time: Date) => new Date(time.getTime() + skew).toUTCString();
  if (content.lastModified) headers['Last-Modified'] = shifted(content.lastModified);
  if (content.expires) headers.Expires = shifted(content.expires);
  if (content.pages !== undefined) headers['X-Pages'] = String(content.pages);
  return headers;
}

/** Whether the caller has this content already. */
export function isKnown(call: Call, content: Content): boolean {
  const given = call.header('if-none-match');
  return content.status === 200 && given !== undefined && sameTag(given, content.body.etag);
}

/** Sends a content, packed when the caller can take that. */
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

/** Announces the whole data, sends half and drops the connection. */
export function sendPart(response: ServerResponse, data: Buffer, headers: Headers): void {
  response.writeHead(200, { ...headers, 'Content-Length': String(data.length) });
  response.write(data.subarray(0, Math.ceil(data.length / 2)), () => response.destroy());
}

/** Half of a packed content. */
export function sendHalf(response: ServerResponse, content: Content, headers: Headers): void {
  sendPart(response, content.body.gzip, { ...headers, 'Content-Encoding': 'gzip' });
}

const MIDWAY_MS = 20; // by then the headers have left: a reset throws away what is still under way

/** Announces the whole body, sends its headers and resets the connection. */
export async function sendHead(response: ServerResponse, length: number, headers: Headers): Promise<void> {
  response.writeHead(200, { ...headers, 'Content-Length': String(Math.max(length, 1)) }).flushHeaders();
  await delay(MIDWAY_MS);
  response.socket?.resetAndDestroy();
}

const CHUNK = Buffer.alloc(65_536, ' '); // what a socket takes at once; white space is well-formed JSON so far

/** An answer of any size, its length not announced. */
export async function sendFlood(response: ServerResponse, bytes: number, headers: Headers): Promise<void> {
  response.writeHead(200, headers);
  for (let left = bytes; left > 0 && !response.destroyed; left -= CHUNK.length) {
    const flowing = response.write(left >= CHUNK.length ? CHUNK : CHUNK.subarray(0, left));
    if (!flowing) await Promise.race([new Promise((resolve) => response.once('drain', resolve)), delay(50)]);
  }
  response.end();
}

/** Sends text as it is. */
export function sendText(response: ServerResponse, status: number, text: string, headers: Headers): void {
  response.writeHead(status, { ...headers, 'Content-Length': String(Buffer.byteLength(text)) });
  response.end(text);
}

/** The answer of a `status` fault. */
export function sendStatus(response: ServerResponse, fault: FaultOf<'status'>, headers: Headers): void {
  const retry = fault.retryAfter === undefined ? {} : { 'Retry-After': String(fault.retryAfter) };
  sendText(response, fault.code, JSON.stringify({ error: `Simulated status ${fault.code}` }), {
    ...headers,
    ...retry,
  });
}
