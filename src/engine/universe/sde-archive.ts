import { createInterface } from 'node:readline';
import { type Entry, openPromise } from 'yauzl';
import { AppError, describeError } from '../../lib/errors.ts';

/** A downloaded archive of the static data export. */
export interface SdeArchive {
  /** Yields the lines of `<name>.jsonl`, parsed. Yields nothing when the archive has no such file. */
  records(name: string): AsyncGenerator<Record<string, unknown>>;
  has(name: string): boolean;
  close(): void;
}

/** The error of a broken archive, which has to be downloaded again. */
export function brokenArchive(error: unknown): AppError {
  return new AppError(
    `Could not read the archive of the static data export (${describeError(error)}). It is downloaded again.`,
    { code: 'SDE_BROKEN', verdict: 'retry', cause: error },
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
  const entries = new Map<string, Entry>();
  try {
    for await (const entry of zip.eachEntry())
      entries.set(entry.fileName.split('/').at(-1) ?? entry.fileName, entry);
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
        const stream = await zip.openReadStreamPromise(entry);
        // readline may end without an error when its input breaks off, so the stream's own error is recorded.
        let streamError: Error | undefined;
        stream.on('error', (error: Error) => (streamError = error));
        for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
          if (line !== '') yield JSON.parse(line) as Record<string, unknown>;
        }
        if (streamError) throw streamError;
      } catch (error) {
        throw brokenArchive(error);
      }
    },
  };
}
