import { spawn } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { processStart } from '../../src/embedded/processes.ts';
import { silentLog } from '../../src/lib/log.ts';
import { startHolder, temporaryFolder } from './holder.ts';

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

describe('startEmbeddedPostgres', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dir: string;
  const running: EmbeddedPostgres[] = [];
  const start = async (options: { port?: number } = {}) => {
    const server = await startEmbeddedPostgres({ dir, log: silentLog, noSync: true, ...options });
    running.push(server);
    return server;
  };
  const postmaster = async () =>
    Number.parseInt(await readFile(join(dir, 'cluster', 'postmaster.pid'), 'utf8'), 10);

  beforeEach(async () => {
    folder = await temporaryFolder();
    dir = join(folder.dir, 'postgres');
  });
  afterEach(async () => {
    for (const server of running.splice(0)) await server.stop();
    await folder.remove();
  });

  test('embedded PostgreSQL retains data, address and password over a restart', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    await expect(query(first.url, 'SELECT 1')).rejects.toThrow();
    const second = await start();
    expect(second.url).toBe(first.url);
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  test('embedded PostgreSQL sorts text independently of the machine, listens on loopback only and protects the password file', async () => {
    const { url } = await start();
    const settings = ['listen_addresses', 'unix_socket_directories', 'synchronous_commit', 'server_encoding'];
    const list = settings.map((name) => `current_setting('${name}') AS ${name}`).join(', ');
    expect(await query(url, `SELECT ${list}, datlocale FROM pg_database WHERE datname = 'eve'`)).toEqual([
      {
        listen_addresses: '127.0.0.1',
        unix_socket_directories: '',
        synchronous_commit: 'on',
        server_encoding: 'UTF8',
        datlocale: 'C.UTF-8',
      },
    ]);
    const { mode } = await stat(join(dir, 'password'));
    expect(mode & 0o777).toBe(0o600);
    await expect(query(url.replace(/:[^:@]+@/, ':wrong@'), 'SELECT 1')).rejects.toThrow(/password/);
  });

  test('embedded PostgreSQL logs failed statements without their text and row, which may contain a token', async () => {
    await (await start()).stop();
    running.pop();
    await writeFile(join(dir, 'cluster', 'eve.conf'), ''); // a cluster of a version that had not thought of it
    const { url } = await start();
    await query(url, 'CREATE TABLE logins (id int PRIMARY KEY, token text, CHECK (id > 0))');
    const insert = (id: number) => query(url, `INSERT INTO logins VALUES (${id}, 'a-token-in-the-clear')`);
    await insert(1);
    for (const refused of [1, -1]) await expect(insert(refused)).rejects.toThrow('violates');
    const told = await readFile(join(dir, 'postgres.log'), 'utf8');
    expect(told.match(/violates/g)).toHaveLength(2);
    expect(told).not.toContain('a-token');
  });

  test('embedded PostgreSQL takes over the server that a killed process left running', async () => {
    const other = await startHolder<EmbeddedPostgres>('postgres', dir);
    await query(other.held.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const orphan = await postmaster();
    await other.kill('SIGKILL');
    expect(await processStart(orphan)).toBeDefined();
    const { url } = await start();
    expect(await processStart(orphan)).toBeUndefined();
    expect(url).toBe(other.held.url);
    expect(await query(url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  test('embedded PostgreSQL survives kill -9 of the server', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    process.kill(await postmaster(), 'SIGKILL');
    running.pop();
    const { url } = await start();
    expect(await query(url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  test('embedded PostgreSQL does not receive the terminal’s Ctrl-C', async () => {
    const other = await startHolder<EmbeddedPostgres>('postgres', dir);
    await other.kill('SIGINT');
    await sleep(300); // a server that had got the signal would be gone by then
    expect(await query(other.held.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await start(); // takes it over, so that it ends with the test
  });

  test('embedded PostgreSQL starts when the process id of its old server belongs to another program', async () => {
    await (await start()).stop();
    running.pop();
    // Of the same user as the server, as PostgreSQL is content with another user's process.
    const { uid, gid } = await stat(join(dir, 'cluster'));
    const program = spawn('sleep', ['60'], { uid, gid, cwd: '/', stdio: 'ignore' });
    try {
      const cluster = join(dir, 'cluster');
      await writeFile(join(cluster, 'postmaster.pid'), `${program.pid}\n${cluster}\n1\n5432\n\n127.0.0.1\n`);
      const { url } = await start();
      expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      expect(await processStart(program.pid ?? 0)).toBeDefined();
    } finally {
      program.kill();
    }
  });

  test('embedded PostgreSQL creates the cluster again after a start that was killed', async () => {
    await mkdir(join(dir, 'cluster.new-1-abc', 'base'), { recursive: true });
    await mkdir(join(dir, 'cluster'), { recursive: true });
    await writeFile(join(dir, 'cluster', 'PG_VERSION'), '18\n');
    const { url } = await start();
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await expect(stat(join(dir, 'cluster.new-1-abc'))).rejects.toThrow();
  });

  test('embedded PostgreSQL works in a folder that only its owner may enter, and does not change its mode', async () => {
    await chmod(folder.dir, 0o700);
    const { url } = await start();
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect((await stat(folder.dir)).mode & 0o777).toBe(0o700);
  });

  test.each([
    `a $(touch x) "b" 'c'`,
    'a"b',
    '$HOME',
    '$(touch ran)',
    '`touch ran`',
    "a'b",
    'a b;touch ran',
    '%s',
  ])('embedded PostgreSQL works in a folder named %j, which no shell meets', async (name) => {
    dir = join(folder.dir, name, 'postgres');
    const before = await readdir('/');
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    expect(await query((await start()).url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    expect(await readdir('/')).toEqual(before);
    for (const at of [dir, join(dir, 'cluster'), process.cwd()])
      for (const name of ['ran', 'x']) expect(await readdir(at)).not.toContain(name);
  });

  test('embedded PostgreSQL names the port that is taken', async () => {
    const { port } = await start();
    const second = startEmbeddedPostgres({
      dir: join(folder.dir, 'other'),
      port,
      log: silentLog,
      noSync: true,
    });
    await expect(second).rejects.toMatchObject({
      code: 'POSTGRES_PORT',
      message: expect.stringContaining(`Port ${port}`) as unknown,
    });
  });
});
