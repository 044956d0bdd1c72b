import { lstat, mkdir, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { changeOwner } from '../../src/embedded/os-user.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { silentLog } from '../../src/lib/log.ts';
import { temporaryFolder } from './holder.ts';

// Started as root, PostgreSQL runs as another user, to whom the folder of the cluster belongs. These tests put there what
// that user could put there.
const asRoot = process.getuid?.() === 0 ? describe : describe.skip;

const SECRET = "# a file of root\nshared_buffers = '16MB'\n";

asRoot('startEmbeddedPostgres as root', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dir: string;
  let target: string;
  const running: EmbeddedPostgres[] = [];
  const start = async () => {
    const server = await startEmbeddedPostgres({ dir, log: silentLog, noSync: true });
    running.push(server);
  };
  /** What an attacker could gain: another content, or another owner. */
  const stateOfTarget = async () => ({
    text: await readFile(target, 'utf8'),
    uid: (await stat(target)).uid,
  });
  const ofRoot = { text: SECRET, uid: 0 };

  beforeEach(async () => {
    folder = await temporaryFolder();
    dir = join(folder.dir, 'postgres');
    target = join(folder.dir, 'of-root');
    await writeFile(target, SECRET);
  });
  afterEach(async () => {
    for (const server of running.splice(0)) await server.stop();
    await folder.remove();
  });

  test('a link in the cluster’s folder leads no write of root to another file', async () => {
    await start();
    await running.pop()!.stop();
    const cluster = join(dir, 'cluster');
    for (const name of ['eve.conf', `eve.conf.${process.pid}`]) {
      await rm(join(cluster, name), { force: true });
      await symlink(target, join(cluster, name));
    }
    await start();
    expect(await stateOfTarget()).toEqual(ofRoot);
    const conf = await lstat(join(cluster, 'eve.conf'));
    expect({ isFile: conf.isFile(), uid: conf.uid }).toEqual({
      isFile: true,
      uid: (await stat(cluster)).uid,
    });
    expect((await readdir(cluster)).filter((name) => name.startsWith('eve.conf.'))).toEqual([
      `eve.conf.${process.pid}`,
    ]);
  });

  test('a link that takes the place of a file of initdb is not written to', async () => {
    const starting = start().catch((error: unknown) => error);
    const fresh = async () =>
      (await readdir(dir).catch(() => [])).find((name) => /^cluster\.new-[^.]+$/.test(name));
    const isWritten = async (file: string) => ((await stat(file).catch(() => undefined))?.size ?? 0) > 0;
    let conf = '';
    for (let name = await fresh(); conf === ''; name = await fresh()) {
      // The last file of initdb's first step: the configuration is complete then, and root has not touched it yet.
      if (name && (await isWritten(join(dir, name, 'global', 'pg_control'))))
        conf = join(dir, name, 'postgresql.conf');
      await sleep(1);
    }
    await rm(conf);
    await symlink(target, conf);
    expect(await starting).toMatchObject({ code: 'POSTGRES_OWNER' });
    expect(await stateOfTarget()).toEqual(ofRoot);
  });

  test('a cluster that root restored is given to its user, and nothing that a link in it names', async () => {
    const restored = join(folder.dir, 'restored');
    await mkdir(join(restored, 'base'), { recursive: true });
    await writeFile(join(restored, 'base', '1'), '');
    await symlink(target, join(restored, 'base', '2'));
    await symlink(folder.dir, join(restored, 'base', '3'));
    await changeOwner({ name: 'nobody', uid: 65_534, gid: 65_534 }, restored);
    for (const name of ['', 'base', 'base/1', 'base/2', 'base/3'])
      expect((await lstat(join(restored, name))).uid).toBe(65_534);
    expect(await stateOfTarget()).toEqual(ofRoot);
    expect((await stat(folder.dir)).uid).toBe(0);
  });
});
