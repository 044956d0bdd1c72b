import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Dispatcher } from 'undici';
import type { BodyHold, BodyLimits } from './body-limits.ts';
import { EsiError } from './esi-error.ts';
import { parseExactJson } from './parse-json.ts';

/** The largest known answer has 2 MB (industry/systems). Four times that is an error. */
export const MAX_BODY = 8 * 1024 * 1024;

/** Values in an answer. The largest has some 120,000; millions of empty objects would hold up the process for seconds. */
const MAX_VALUES = 300_000;

/** Bytes of a body that is parsed in a turn of its own. A smaller one takes a tenth of a second whatever it holds. */
const LARGE_BODY = 1024 * 1024;

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

/** Bytes that begin a value: a comma, a bracket, a brace. */
const BEGINS = new Set([0x2c, 0x5b, 0x7b]);

function assertFewValues(body: Buffer): void {
  let values = 0;
  for (const byte of body) if (BEGINS.has(byte)) values++;
  if (values > MAX_VALUES) throw new RangeError(`it has more than ${MAX_VALUES.toLocaleString('en')} values`);
}

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
    if (body.length >= LARGE_BODY) {
      await limits.takeTurn();
      assertFewValues(body);
    }
    return parse(body, path);
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
