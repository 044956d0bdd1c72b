import { createInterface } from 'node:readline';
import yauzl from 'yauzl';

export interface SdeArchive {
  /** Lines of `<name>.jsonl`, parsed; yields nothing when the archive has no such file. */
  records(name: string): AsyncGenerator<Record<string, unknown>>;
  has(name: string): boolean;
  close(): void;
}

/** Opens a zip of JSON Lines without unpacking it. Throws when it is no zip or is cut. */
export async function openArchive(file: string): Promise<SdeArchive> {
  const zip = await new Promise<yauzl.ZipFile>((resolve, reject) => {
    yauzl.open(file, { lazyEntries: true, autoClose: false }, (error, opened) =>
      error ? reject(error) : resolve(opened),
    );
  });
  const entries = await readEntries(zip);
  return {
    has: (name) => entries.has(`${name}.jsonl`),
    close: () => zip.close(),
    async *records(name) {
      const entry = entries.get(`${name}.jsonl`);
      if (!entry) return;
      const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
        zip.openReadStream(entry, (error, opened) => (error ? reject(error) : resolve(opened)));
      });
      // readline ends quietly when its input breaks off; the stream's own error must not be lost.
      let broken: Error | undefined;
      stream.on('error', (error: Error) => (broken = error));
      for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
        if (line !== '') yield JSON.parse(line) as Record<string, unknown>;
      }
      if (broken) throw broken;
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
