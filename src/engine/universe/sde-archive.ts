import { crc32 } from 'node:zlib';
import { type Entry, openPromise } from 'yauzl';
import { HOUR } from '../../lib/duration.ts';
import { AppError, describeError } from '../../lib/errors.ts';
import { readLines } from './read-lines.ts';

/** Files in an archive. The export has 60. */
const MAX_ENTRIES = 10_000;

/** Bytes of a line. The longest of the export, a type with its texts, has some 50 KB; 16 MB take seconds to parse. */
const MAX_LINE = 2 ** 20;

/** Lines of a file. The largest that is read, of the types, has some 52,000. */
const MAX_LINES = 500_000;

/** Bytes of all unpacked files that are read. Those of the export have some 300 MB. */
const MAX_UNPACKED = 2 ** 30;

/** A downloaded archive of the static data export. */
export interface SdeArchive {
  /** Yields the lines of `<name>.jsonl`, parsed. Yields nothing when the archive has no such file. */
  records(name: string): AsyncGenerator<Record<string, unknown>>;
  has(name: string): boolean;
  close(): void;
}

/** The error of a broken archive, which is set aside. */
export function brokenArchive(error: unknown): AppError {
  return new AppError(
    `Could not read the archive of the static data export (${describeError(error)}). It is set aside, and downloaded again after an hour.`,
    { code: 'SDE_BROKEN', verdict: 'wait', retryAfter: HOUR, cause: error },
  );
}

/**
 * Opens a zip of JSON Lines without unpacking it. Throws AppError SDE_BROKEN when it is not a zip or is cut off, also
 * later while records are read.
 */
export async function openArchive(file: string): Promise<SdeArchive> {
  const zip = await openPromise(file, { lazyEntries: true, autoClose: false }).catch((error: unknown) => {
    throw brokenArchive(error);
  });
  zip.on('error', () => undefined); // it also fails what is being read
  const entries = new Map<string, Entry>();
  let unpacked = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      if (entries.size >= MAX_ENTRIES) throw new Error(`it has more than ${MAX_ENTRIES} files`);
      entries.set(entry.fileName.split('/').at(-1) ?? entry.fileName, entry);
    }
  } catch (error) {
    zip.close();
    throw brokenArchive(error);
  }
  return {
    has: (name) => entries.has(`${name}.jsonl`),
    close: () => zip.close(),
    async *records(name) {
      const entry = entries.get(`${name}.jsonl`);
      if (!entry) return;
      try {
        // The archive states the size, and the reader holds it to that.
        if (entry.uncompressedSize > MAX_UNPACKED - unpacked)
          throw new Error(`its files are larger than ${MAX_UNPACKED >> 20} MB`);
        unpacked += entry.uncompressedSize;
        const stream = await zip.openReadStreamPromise(entry);
        const checked = withChecksum(stream as AsyncIterable<Buffer>, entry.crc32);
        let lines = 0;
        for await (const line of readLines(checked, MAX_LINE)) {
          if (++lines > MAX_LINES)
            throw new Error(`${name} has more than ${MAX_LINES.toLocaleString('en')} lines`);
          if (line !== '') yield JSON.parse(line) as Record<string, unknown>;
        }
      } catch (error) {
        throw brokenArchive(error);
      }
    },
  };
}

/** Passes the chunks of a file on. Throws at its end when it is not what was packed: the reader checks its size alone. */
async function* withChecksum(chunks: AsyncIterable<Buffer>, expected: number): AsyncGenerator<Buffer> {
  let checksum = 0;
  for await (const chunk of chunks) {
    checksum = crc32(chunk, checksum);
    yield chunk;
  }
  if (checksum !== expected) throw new Error('the checksum of a file is wrong');
}
