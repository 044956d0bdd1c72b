import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { inTurn } from '../lib/turns.ts';
import type { BodyHold, BodyLimits } from './body-limits.ts';
import { EsiError } from './esi-error.ts';
import { parseExactJson } from './parse-json.ts';

/** The largest known answer has 2 MB (industry/systems). Four times that is an error. */
export const MAX_BODY = 8 * 1024 * 1024;

/** Values in an answer. The largest has some 120,000; millions of empty objects would hold up the process for seconds. */
const MAX_VALUES = 300_000;

/** Fields of an object. ESI's largest, in its description of itself, has 600; 300,000 would take a tenth of a second at each step. */
const MAX_FIELDS = 5_000;

/** Levels of lists and objects. ESI's description of itself has 14, its data fewer. */
const MAX_DEPTH = 100;

/** Bytes of a body whose values are counted: larger than a page of a thousand orders, which has 240 KB. */
const LARGE_BODY = 256 * 1024;

/** ESI's error bodies have some hundred bytes. */
const MAX_ERROR_BODY = 64 * 1024;

/**
 * Bytes that zlib decompresses at once. A page of a thousand orders decompresses to 240 KB; Node's default of 16 KB would
 * take sixteen trips to a thread and back and a copy to join them, which is a third more CPU time.
 */
const CHUNK_SIZE = 256 * 1024;

const badBody = (message: string, cause?: unknown) =>
  new EsiError(message, { code: 'ESI_BAD_BODY', verdict: 'retry', cause });

/** The chunks of a body, unpacked. Packed ones are bounded too, because they may unpack to nothing without end. */
function unpack(answer: Dispatcher.ResponseData, maxBytes: number): AsyncIterable<Buffer> {
  if (answer.headers['content-encoding'] !== 'gzip') return answer.body as AsyncIterable<Buffer>;
  let packed = 0;
  const bounded = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      packed += chunk.length;
      if (packed > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
  };
  const gunzip = createGunzip({ chunkSize: CHUNK_SIZE });
  // The error of either stream ends the iteration over gunzip.
  return pipeline(answer.body, bounded, gunzip, () => undefined);
}

const tooLarge = (maxBytes: number) => new RangeError(`it is larger than ${maxBytes >> 20} MB`);

async function readBounded(
  answer: Dispatcher.ResponseData,
  maxBytes: number,
  hold: BodyHold,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of unpack(answer, maxBytes)) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    hold.add(chunk.length);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Throws RangeError where a body has more values than any answer, where they are nested deeper, or where one object has more
 * fields. Reads each byte once, whatever the body is.
 */
function assertPlain(body: Buffer): void {
  /** The fields of each open object, and 0 for each open list. */
  const open: number[] = [];
  let values = 0;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (byte === QUOTE) {
      for (at++; at < body.length && body[at] !== QUOTE; at++) if (body[at] === BACKSLASH) at++;
    } else if (byte === COMMA || byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++values > MAX_VALUES) throw tooMany(MAX_VALUES, 'values');
      if (byte !== COMMA) open.push(byte === OPEN_OBJECT ? 1 : 0);
      else if (open.at(-1)! > 0 && ++open[open.length - 1]! > MAX_FIELDS)
        throw tooMany(MAX_FIELDS, 'fields in one object');
      if (open.length > MAX_DEPTH) throw tooMany(MAX_DEPTH, 'levels');
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) open.pop();
  }
}

const tooMany = (max: number, what: string) =>
  new RangeError(`it has more than ${max.toLocaleString('en')} ${what}`);

/** Whether an error says that the body itself is bad, and not the connection. */
const isOfBody = (error: unknown): boolean =>
  error instanceof RangeError || ((error as NodeJS.ErrnoException).code ?? '').startsWith('Z_');

function parse(body: Buffer, path: string): unknown {
  const text = body.toString('utf8');
  try {
    return parseExactJson(text);
  } catch (error) {
    const found = text.trimStart().startsWith('<') ? 'a web page' : 'text that is not JSON';
    throw badBody(`ESI answered ${path} with ${found} instead of data.`, error);
  }
}

/**
 * Reads the JSON of an answer. Throws EsiError ESI_BAD_BODY (`retry`) when the body is too large, alone or together with the
 * others in flight, not JSON (ESI's load balancer sometimes answers in HTML or plain text), or not encoded as announced; and
 * the connection's error when it is cut off or takes too long.
 */
export async function readJson(
  answer: Dispatcher.ResponseData,
  path: string,
  limits: BodyLimits,
  maxBytes = MAX_BODY,
): Promise<unknown> {
  const hold = limits.open((reason) => answer.body.destroy(reason));
  try {
    const body = await readBounded(answer, maxBytes, hold);
    return await inTurn(() => {
      if (body.length >= LARGE_BODY) assertPlain(body);
      return parse(body, path);
    });
  } catch (error) {
    if (!isOfBody(error)) throw error;
    throw badBody(`ESI's answer to ${path} was not read: ${(error as Error).message}.`, error);
  } finally {
    hold.release();
  }
}

/** The JSON of an error; undefined when there is none that can be read, as in the web page of a load balancer. */
export async function readErrorBody(answer: Dispatcher.ResponseData, limits: BodyLimits): Promise<unknown> {
  try {
    return await readJson(answer, '', limits, MAX_ERROR_BODY);
  } catch {
    return undefined;
  }
}
