import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { lockDataDir } from '../../src/embedded/lock.ts';
import { startHolder, temporaryFolder } from './holder.ts';

describe('lockDataDir', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder.remove());

  test('lockDataDir locks the folder until it is released', async () => {
    const lock = await lockDataDir(folder.dir);
    await expect(lockDataDir(folder.dir)).rejects.toMatchObject({ code: 'DATA_DIR_IN_USE' });
    await lock.release();
    expect(await readdir(folder.dir)).toEqual([]);
    await (await lockDataDir(folder.dir)).release();
  });

  test('lockDataDir fails while another process holds the lock, names that process, and succeeds after it was killed', async () => {
    const other = await startHolder('lock', folder.dir);
    await expect(lockDataDir(folder.dir)).rejects.toMatchObject({
      code: 'DATA_DIR_IN_USE',
      message: expect.stringContaining(`process ${other.child.pid}`) as unknown,
    });
    await other.kill('SIGKILL');
    await (await lockDataDir(folder.dir)).release();
  });

  test('lockDataDir ignores a lock whose process id belongs to another program now', async () => {
    // That process lives, but did not start at that time.
    await writeFile(join(folder.dir, `lock.${process.ppid}.boot-1`), '');
    const lock = await lockDataDir(folder.dir);
    expect(await readdir(folder.dir)).toHaveLength(1);
    await lock.release();
  });

  test('lockDataDir fails when the folder cannot be created', async () => {
    await writeFile(join(folder.dir, 'file'), '');
    const lock = lockDataDir(join(folder.dir, 'file'));
    await expect(lock).rejects.toMatchObject({ code: 'DATA_DIR_UNWRITABLE' });
  });

  test('lockDataDir lets exactly one of several concurrent processes in', async () => {
    await writeFile(join(folder.dir, 'lock.999999999.boot-1'), ''); // left by a killed process
    const starters = await Promise.allSettled([1, 2, 3].map(() => startHolder('lock', folder.dir)));
    const inside = starters.filter((starter) => starter.status === 'fulfilled');
    await Promise.all(inside.map((starter) => starter.value.kill('SIGKILL')));
    expect(inside).toHaveLength(1);
  });
});
