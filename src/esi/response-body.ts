import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { EsiError } from './esi-error.ts';

/** The largest known answer is 2 MB (industry/systems); sixteen times that is no answer but a fault. */
export const MAX_BODY = 32 * 1024 * 1024;

const inflate = promisify(gunzip);

/**
 * A page of a thousand orders unpacks to 240 KB. Node's own pieces of 16 KB would make sixteen trips to a thread and back
 * of it, and a copy to join them: a third more of the processor's time.
 */
const PIECE = 256 * 1024;

const nonsense = (message: string, cause?: unknown) =>
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
      throw nonsense(`ESI's answer to ${path} is larger than ${maxBytes >> 20} MB; it is not read.`);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
}

/** NaN and Infinity are no JSON, though some encoders write them: null in their place lets the row be judged alone. */
function withoutNonNumbers(text: string): string {
  return text.replaceAll(/"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:NaN|Infinity)/g, (found) =>
    found.startsWith('"') ? found : 'null',
  );
}

/**
 * The JSON of an answer. Throws EsiError ESI_BAD_BODY (worth another try) when the body is too large, cut, not JSON
 * (ESI's load balancer answers in HTML or plain text at times), or announced as something else.
 */
export async function readJson(
  answer: Dispatcher.ResponseData,
  path: string,
  maxBytes = MAX_BODY,
): Promise<unknown> {
  const raw = await readBounded(answer.body, path, maxBytes);
  const zipped = answer.headers['content-encoding'] === 'gzip';
  let text: string;
  try {
    text = (zipped ? await inflate(raw, { maxOutputLength: maxBytes, chunkSize: PIECE }) : raw).toString(
      'utf8',
    );
  } catch (error) {
    throw nonsense(
      `ESI's answer to ${path} cannot be unpacked or is larger than ${maxBytes >> 20} MB.`,
      error,
    );
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    try {
      return JSON.parse(withoutNonNumbers(text)) as unknown;
    } catch {
      const kind = /^\s*</.test(text) ? 'a web page' : 'no JSON';
      throw nonsense(`ESI answered ${path} with ${kind} instead of data.`, error);
    }
  }
}
