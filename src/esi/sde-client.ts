import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Agent, request as send } from 'undici';
import { z } from 'zod';
import type { Clock } from '../lib/clock.ts';
import { HOUR, MINUTE } from '../lib/duration.ts';
import { AppError, describeError } from '../lib/errors.ts';

/** The archive had about 90 MB in 2026. Ten times that is an error and would fill a disk. */
const MAX_ARCHIVE = 1_000 * 1024 * 1024;

/** `latest.jsonl` is one line of 100 bytes. */
const MAX_LATEST = 64 * 1024;

/** Ends the name of an archive that could not be read. */
const UNREADABLE = '.unreadable';

/** Milliseconds. A build that is broken at its source takes CCP hours to replace. */
const FETCH_AGAIN_AFTER = HOUR;

/** A zip starts with `PK`, a web page in its place does not. */
const ZIP_BYTE = 0x50;

const MAX_ATTEMPTS = 3;

/** Statuses with the address to ask instead. */
const REDIRECTIONS = new Set([301, 302, 303, 307, 308]);

/** More are a loop. */
const MAX_REDIRECTIONS = 3;

/** The newest build of the static data export. */
export interface SdeLatest {
  readonly build: number;
  /** When CCP released it; undefined where the list does not say. */
  readonly released: Date | undefined;
}

/** Client of the static data export. */
export interface SdeClient {
  /** Returns the newest build. Throws AppError SDE_UNREACHABLE. */
  latest(signal?: AbortSignal): Promise<SdeLatest>;
  /**
   * Returns the path of the archive of a build, which is downloaded if needed. Older archives are deleted. Throws AppError
   * SDE_UNREACHABLE, and SDE_SET_ASIDE (`wait`) within an hour after the archive of this build was set aside.
   */
  download(build: number, signal?: AbortSignal, heartbeat?: (detail: unknown) => void): Promise<string>;
  /** Renames the archive of a build, which cannot be read, so that no start meets it again. */
  setAside(build: number): Promise<void>;
  close(): Promise<void>;
}

export interface SdeOptions {
  readonly baseUrl: string;
  readonly userAgent: string;
  /** Folder of the downloaded archives. */
  readonly dir: string;
  readonly clock: Clock;
}

/** Creates a client of the official static data export: a JSON line that names the build, and a zip of JSON Lines. */
export function createSdeClient(options: SdeOptions): SdeClient {
  const agent = new Agent({
    connections: 2,
    connect: { timeout: 5_000 },
    headersTimeout: 20_000,
    bodyTimeout: 30_000,
  });

  async function retry<T>(file: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        signal?.throwIfAborted();
        if (attempt >= MAX_ATTEMPTS) throw unreachable(file, error);
        await options.clock.sleep(500 * 2 ** attempt, signal);
      }
    }
  }

  return {
    latest: (signal) =>
      retry('latest.jsonl', signal, async () =>
        parseLatest(await readBounded(await get(agent, options, '/tranquility/latest.jsonl', signal))),
      ),
    async download(build, signal, heartbeat) {
      await mkdir(options.dir, { recursive: true });
      const name = `sde-${build}.zip`;
      const file = path.join(options.dir, name);
      if (await stat(file).catch(() => undefined)) return file;
      await assertNotSetAside(file, options.clock.now());
      const url = `/tranquility/eve-online-static-data-${build}-jsonl.zip`;
      await retry(name, signal, async () =>
        saveArchive(await get(agent, options, url, signal), file, heartbeat),
      );
      await deleteOthers(options.dir, name);
      return file;
    },
    setAside: (build) => setAside(path.join(options.dir, `sde-${build}.zip`), options.clock.now()),
    close: () => agent.destroy(),
  };
}

async function get(
  dispatcher: Agent,
  { baseUrl, userAgent }: SdeOptions,
  url: string,
  signal: AbortSignal | undefined,
): Promise<AsyncIterable<Buffer>> {
  // The archive's host answers 404 to clients without these headers.
  const headers = { 'user-agent': userAgent, accept: '*/*' };
  let address = new URL(baseUrl + url);
  for (let left = MAX_REDIRECTIONS; ; left--) {
    const answer = await send(address, { dispatcher, headers, signal: signal ?? null });
    if (answer.statusCode === 200) return answer.body;
    await answer.body.dump();
    const { location } = answer.headers;
    if (!REDIRECTIONS.has(answer.statusCode) || typeof location !== 'string' || left === 0)
      throw new Error(`status ${answer.statusCode}`);
    address = redirected(address, location);
  }
}

/** Where a redirection leads. Throws when that is another host or not as safe: what comes from there is believed. */
function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to?.origin === from.origin) return to;
  throw new Error(`redirected to another address (${to?.host || 'none'}), which is not followed`);
}

/** Writes a body beside `file` and renames it, so that an existing file is always complete. */
async function saveArchive(
  body: AsyncIterable<Buffer>,
  file: string,
  heartbeat?: (detail: unknown) => void,
): Promise<void> {
  const part = `${file}.${process.pid}.part`;
  let size = 0;
  async function* bounded(): AsyncGenerator<Buffer> {
    for await (const chunk of body) {
      if (size === 0 && chunk[0] !== ZIP_BYTE) throw new Error('it is not a zip');
      size += chunk.length;
      if (size > MAX_ARCHIVE) throw new Error(`larger than ${MAX_ARCHIVE >> 20} MB`);
      heartbeat?.({ bytes: size });
      yield chunk;
    }
  }
  await pipeline(bounded, createWriteStream(part));
  await rename(part, file);
}

const latestLine = z.object({
  _key: z.literal('sde'),
  buildNumber: z.int(),
  releaseDate: z.iso.datetime().optional().catch(undefined),
});

function parseLatest(text: string): SdeLatest {
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const { data } = latestLine.safeParse(JSON.parse(line));
    if (!data) continue;
    const { buildNumber: build, releaseDate } = data;
    return { build, released: releaseDate === undefined ? undefined : new Date(releaseDate) };
  }
  throw new Error('it names no build');
}

/** Deletes archives of earlier builds, and partial downloads of killed processes. */
async function deleteOthers(dir: string, current: string): Promise<void> {
  for (const name of await readdir(dir))
    if (name.startsWith('sde-') && name !== current) await rm(path.join(dir, name), { force: true });
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_LATEST) throw new Error(`larger than ${MAX_LATEST >> 10} KB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function setAside(file: string, now: number): Promise<void> {
  await rename(file, file + UNREADABLE);
  await utimes(file + UNREADABLE, now / 1_000, now / 1_000);
}

async function assertNotSetAside(file: string, now: number): Promise<void> {
  const found = await stat(file + UNREADABLE).catch(() => undefined);
  const retryAfter = (found?.mtimeMs ?? -Infinity) + FETCH_AGAIN_AFTER - now;
  if (retryAfter <= 0) return;
  throw new AppError(
    `The archive of the static data export could not be read and is set aside as ${file}${UNREADABLE}. It is downloaded ` +
      `again in ${Math.ceil(retryAfter / MINUTE)} min.`,
    { code: 'SDE_SET_ASIDE', verdict: 'wait', retryAfter },
  );
}

function unreachable(file: string, error: unknown): AppError {
  return new AppError(`Could not download the static data export (${file}): ${describeError(error)}.`, {
    code: 'SDE_UNREACHABLE',
    verdict: 'retry',
    cause: error,
  });
}
