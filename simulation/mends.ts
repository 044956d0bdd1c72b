import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** A text of a compiled file, and what it was like before the fault was mended. */
interface Edit {
  /** Below dist/src. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/**
 * Faults of the past. Taken out again, each mend has to be missed by a history of some seed: what a simulation does not find it
 * does not guard.
 */
export const MENDS: Readonly<Record<string, readonly Edit[]>> = {
  'integers beyond 2^53 are exact': [
    { file: 'esi/parse-json.js', find: 'if (MAY_BE_LARGE.test(text))', replace: 'if (false)' },
  ],
  'a row twice, word for word, is one row': [
    {
      file: 'store/sets/merge.js',
      find: 'if (rejected.length > 0 && !isExpected',
      replace: 'if (rows.length > 0 && !isExpected',
    },
    {
      file: 'engine/run/plan-publication.js',
      find: 'if (of.keys && of.keys.conflicts > 0)',
      replace: 'if (of.keys && (of.keys.conflicts > 0 || of.keys.repeated.unchanged > 0))',
    },
  ],
  'a short page among full ones is a doubt': [
    { file: 'engine/run/check-snapshot.js', find: 'length(record) < full)', replace: 'false)' },
  ],
  'null stands for a field that is left out': [
    {
      file: 'esi/facts/parse-row.js',
      find: 'if (value === undefined || !isBlank(value, isId))',
      replace: 'if (true)',
    },
  ],
  'a rejected row whose key can be read is there': [
    {
      file: 'engine/run/read-pages.js',
      find: '[...valid, ...rejected.map(({ key }) => key)]',
      replace: 'valid',
    },
  ],
  'a row without a key may be any of those that seem absent': [
    {
      file: 'engine/run/plan-publication.js',
      find: '(keyless === 0 || keylessReadings >= KEYLESS_READINGS)',
      replace: 'true',
    },
  ],
  'a part that fails does not hold up the others': [
    {
      file: 'engine/run/collect-resources.js',
      find: 'if (!isOfRoute(error))\n                throw error;',
      replace: 'throw error;',
    },
  ],
  'the loss of one side of a book is a doubt': [
    { file: 'store/sets/loss-guard.js', find: 'if (within === undefined)', replace: 'if (true)' },
  ],
  'both sides of a transaction are kept': [
    {
      file: 'collectors/wallet.js',
      find: "key: ['transaction_id', 'is_buy']",
      replace: "key: ['transaction_id']",
    },
  ],
  'the Expires of a set outlives a crash of the database server': [
    {
      file: 'store/sets/stage.js',
      find: 'await recordFirstPage(client, runId, first.expires)',
      replace: 'await recordFirstPage(client, runId, undefined)',
    },
  ],
  "a wrong clock of ESI's is no bar for newer sets": [
    {
      file: 'esi/freshness.js',
      find: 'new Date(modified - clockError(serverNow, now))',
      replace: 'new Date(modified)',
    },
    {
      file: 'engine/run/plan-publication.js',
      find: 'return isFuture && lastModified <= published ? published + 1_000 : lastModified;',
      replace: 'return lastModified;',
    },
  ],
  'pages that X-Pages announces wrongly are not requested one by one': [
    {
      file: 'engine/run/read-pages.js',
      find: 'const hasLast = (await readPages(context, auth, [pages])) === 1;',
      replace: 'const hasLast = true;',
    },
    { file: 'engine/run/read-pages.js', find: 'if (other > page)', replace: 'if (false)' },
  ],
  'a page without Last-Modified makes no other page old': [
    {
      file: 'engine/run/read-pages.js',
      find: 'lastModified: response.lastModified,',
      replace:
        'lastModified: response.lastModified ?? new Date(Math.floor(engine.clock.now() / 1_000) * 1_000),',
    },
  ],
  'pages of two snapshots are torn': [
    { file: 'engine/run/check-snapshot.js', find: 'if (stale.length > 0)', replace: 'if (false)' },
  ],
};

/** Copies what was built to `dist/without` and takes a mend out there. Returns the folder. */
export async function takeOut(mend: string): Promise<string> {
  const dist = path.join(import.meta.dirname, '..');
  const folder = path.join(dist, 'without');
  await rm(folder, { recursive: true, force: true });
  for (const part of ['src', 'simulation', 'simulator', 'test'])
    await cp(path.join(dist, part), path.join(folder, part), { recursive: true });
  for (const { file, find, replace } of MENDS[mend] ?? []) {
    const name = path.join(folder, 'src', file);
    const text = await readFile(name, 'utf8');
    if (text.split(find).length !== 2)
      throw new Error(`${file} does not hold "${find}" once: renew the mend.`);
    await writeFile(
      name,
      text.replace(find, () => replace),
    );
  }
  return folder;
}
