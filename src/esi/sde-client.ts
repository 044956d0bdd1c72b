import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Agent, interceptors, request as send } from 'undici';
import type { Clock } from '../lib/clock.ts';
import { AppError, describeError } from '../lib/errors.ts';

/** The archive had some 90 MB in 2026; ten times that is a fault, and would fill a disk. */
const MAX_ARCHIVE = 1_000 * 1024 * 1024;

const TRIES = 3;

export interface SdeLatest {
  readonly build: number;
}

export interface SdeClient {
  /** Number of the newest build. Throws AppError SDE_UNREACHABLE. */
  latest(signal?: AbortSignal): Promise<SdeLatest>;
  /** Path of the archive of a build, downloaded unless it is there already; older archives go. */
  download(build: number, signal?: AbortSignal, heartbeat?: (detail: unknown) => void): Promise<string>;
  close(): Promise<void>;
}

export interface SdeOptions {
  readonly baseUrl: string;
  readonly userAgent: string;
  readonly dir: string;
  readonly clock: Clock;
}

/** Client of the official Static Data Export: a line of JSON that names the build, and a zip of JSON Lines. */
export function createSdeClient(options: SdeOptions): SdeClient {
  const agent = new Agent({
    connections: 2,
    connect: { timeout: 5_000 },
    headersTimeout: 20_000,
    bodyTimeout: 30_000,
  });
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: 3 }));

  async function get(url: string, signal: AbortSignal | undefined) {
    // A bare client was answered 404 by the archive's host.
    const headers = { 'user-agent': options.userAgent, accept: '*/*' };
    const answer = await send(options.baseUrl + url, { dispatcher, headers, signal: signal ?? null });
    if (answer.statusCode === 200) return answer.body;
    await answer.body.dump();
    throw new Error(`status ${answer.statusCode}`);
  }

  async function tries<T>(what: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    for (let n = 1; ; n++) {
      try {
        return await work();
      } catch (error) {
        signal?.throwIfAborted();
        if (n >= TRIES) throw unreachable(what, error);
        await options.clock.sleep(500 * 2 ** n, signal);
      }
    }
  }

  return {
    latest: (signal) =>
      tries('latest.jsonl', signal, async () =>
        readLatest(await (await get('/tranquility/latest.jsonl', signal)).text()),
      ),
    async download(build, signal, heartbeat) {
      await mkdir(options.dir, { recursive: true });
      const name = `sde-${build}.zip`;
      const file = path.join(options.dir, name);
      if (await stat(file).catch(() => undefined)) return file;
      const url = `/tranquility/eve-online-static-data-${build}-jsonl.zip`;
      await tries(name, signal, async () => save(await get(url, signal), file, heartbeat));
      await dropOthers(options.dir, name);
      return file;
    },
    close: () => agent.destroy(),
  };
}

/** Writes a body beside `file` and renames it: a file that is there is whole. */
async function save(
  body: AsyncIterable<Buffer>,
  file: string,
  heartbeat?: (detail: unknown) => void,
): Promise<void> {
  const part = `${file}.${process.pid}.part`;
  let size = 0;
  async function* bounded(): AsyncGenerator<Buffer> {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > MAX_ARCHIVE) throw new Error(`larger than ${MAX_ARCHIVE >> 20} MB`);
      heartbeat?.({ bytes: size });
      yield chunk;
    }
  }
  await pipeline(bounded, createWriteStream(part));
  await rename(part, file);
}

function readLatest(text: string): SdeLatest {
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const record = JSON.parse(line) as { _key?: unknown; buildNumber?: unknown };
    if (record._key === 'sde' && Number.isSafeInteger(record.buildNumber)) {
      return { build: record.buildNumber as number };
    }
  }
  throw new Error('it names no build');
}

/** Archives of earlier builds, and parts that a kill left behind. */
async function dropOthers(dir: string, keep: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (name.startsWith('sde-') && name !== keep) await rm(path.join(dir, name), { force: true });
  }
}

function unreachable(what: string, error: unknown): AppError {
  return new AppError(`The static data export could not be had (${what}): ${describeError(error)}.`, {
    code: 'SDE_UNREACHABLE',
    verdict: 'retry',
    cause: error,
  });
}
