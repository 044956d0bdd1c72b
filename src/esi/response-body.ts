import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { EsiError } from './esi-error.ts';
import { parseExactJson } from './parse-json.ts';

/** The largest known answer has 2 MB (industry/systems). Sixteen times that is an error. */
export const MAX_BODY = 32 * 1024 * 1024;

const gunzipAsync = promisify(gunzip);

/**
 * Bytes that zlib decompresses at once. A page of a thousand orders decompresses to 240 KB; Node's default of 16 KB would
 * take sixteen trips to a thread and back and a copy to join them, which is a third more CPU time.
 */
const CHUNK_SIZE = 256 * 1024;

const badBody = (message: string, cause?: unknown) =>
  new EsiError(message, { code: 'ESI_BAD_BODY', verdict: 'retry', cause });

async function readBounded(
  body: Dispatcher.ResponseData['body'],
  path: string,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes)
      throw badBody(`ESI's answer to ${path} is larger than ${maxBytes >> 20} MB and was not read.`);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
}

/** ESI's error bodies have some hundred bytes. */
const MAX_ERROR_BODY = 64 * 1024;

/** The JSON of an error; undefined when there is none that can be read, as in the web page of a load balancer. */
export async function readErrorBody(answer: Dispatcher.ResponseData): Promise<unknown> {
  try {
    return await readJson(answer, '', MAX_ERROR_BODY);
  } catch {
    return undefined;
  }
}

/**
 * Reads the JSON of an answer. Throws EsiError ESI_BAD_BODY (`retry`) when the body is too large, cut off, not JSON
 * (ESI's load balancer sometimes answers in HTML or plain text), or not encoded as announced.
 */
export async function readJson(
  answer: Dispatcher.ResponseData,
  path: string,
  maxBytes = MAX_BODY,
): Promise<unknown> {
  const raw = await readBounded(answer.body, path, maxBytes);
  const isZipped = answer.headers['content-encoding'] === 'gzip';
  let body: Buffer;
  try {
    body = isZipped ? await gunzipAsync(raw, { maxOutputLength: maxBytes, chunkSize: CHUNK_SIZE }) : raw;
  } catch (error) {
    throw badBody(
      `ESI's answer to ${path} cannot be decompressed or is larger than ${maxBytes >> 20} MB.`,
      error,
    );
  }
  const text = body.toString('utf8');
  try {
    return parseExactJson(text);
  } catch (error) {
    const found = text.trimStart().startsWith('<') ? 'a web page' : 'text that is not JSON';
    throw badBody(`ESI answered ${path} with ${found} instead of data.`, error);
  }
}
