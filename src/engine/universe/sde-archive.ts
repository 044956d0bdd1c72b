import { createInterface } from 'node:readline';
import yauzl from 'yauzl';
import { AppError, describeError } from '../../lib/errors.ts';

export interface SdeArchive {
  /** Lines of `<name>.jsonl`, parsed; yields nothing when the archive has no such file. */
  records(name: string): AsyncGenerator<Record<string, unknown>>;
  has(name: string): boolean;
  close(): void;
}

/** The archive is at fault, not we and not the database: it has to be had anew. */
export function broken(error: unknown): AppError {
  return new AppError(
    `The archive of the static data export cannot be read (${describeError(error)}); it is downloaded again.`,
    { code: 'SDE_BROKEN', verdict: 'retry', cause: error },
  );
}

/** Opens a zip of JSON Lines without unpacking it. Throws AppError SDE_BROKEN when it is no zip or is cut, here or later. */
export async function openArchive(file: string): Promise<SdeArchive> {
  const zip = await new Promise<yauzl.ZipFile>((resolve, reject) => {
    yauzl.open(file, { lazyEntries: true, autoClose: false }, (error, opened) =>
      error ? reject(broken(error)) : resolve(opened),
    );
  });
  const entries = await readEntries(zip).catch((error: unknown) => {
    zip.close();
    throw broken(error);
  });
  return {
    has: (name) => entries.has(`${name}.jsonl`),
    close: () => zip.close(),
    async *records(name) {
      const entry = entries.get(`${name}.jsonl`);
      if (!entry) return;
      const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
        zip.openReadStream(entry, (error, opened) => (error ? reject(broken(error)) : resolve(opened)));
      });
      // readline may end quietly when its input breaks off; the stream's own error must not be lost.
      let cut: Error | undefined;
      stream.on('error', (error: Error) => (cut = error));
      try {
        for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
          if (line !== '') yield JSON.parse(line) as Record<string, unknown>;
        }
        if (cut) throw cut;
      } catch (error) {
        throw broken(error);
      }
    },
  };
}

function readEntries(zip: yauzl.ZipFile): Promise<Map<string, yauzl.Entry>> {
  return new Promise((resolve, reject) => {
    const entries = new Map<string, yauzl.Entry>();
    zip.on('entry', (entry: yauzl.Entry) => {
      entries.set(entry.fileName.split('/').at(-1) ?? entry.fileName, entry);
      zip.readEntry();
    });
    zip.on('end', () => resolve(entries));
    zip.on('error', reject);
    zip.readEntry();
  });
}
