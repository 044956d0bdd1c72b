import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  readAssignedTargets,
  type CollectionRecord,
  recordCollection,
  takeDue,
} from '../../../src/store/owners/due-assignments.ts';
import { testDatabase, type TestDatabase } from '../../support/test-database.ts';

const NOW = Date.parse('2026-11-20T14:00:00Z');
const MINUTE = 60_000;
const at = (minutes: number) => new Date(NOW + minutes * MINUTE);

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

beforeEach(async () => {
  await db.pool.query('TRUNCATE characters, corporations, collector_assignments CASCADE');
  await db.pool.query('INSERT INTO corporations (corporation_id) VALUES (98000001), (98000002)');
  await owners(3);
});

/** Characters 1 to `count`, members of the first corporation, each with an active login. */
async function owners(count: number): Promise<void> {
  await db.pool.query(
    `INSERT INTO characters (character_id, corporation_id) SELECT n, 98000001 FROM generate_series(1, $1::int) n`,
    [count],
  );
  await db.pool.query(
    `INSERT INTO esi_tokens (character_id, refresh_token) SELECT n, 'x' FROM generate_series(1, $1::int) n`,
    [count],
  );
}

async function assign(type: string, owner: { character?: number; corporation?: number }, minutes = 60) {
  await db.pool.query(
    `INSERT INTO collector_assignments (collector_type, character_id, corporation_id, collection_interval_minutes)
     VALUES ($1, $2, $3, $4)`,
    [type, owner.character ?? null, owner.corporation ?? null, minutes],
  );
}

const due = async (minutes: number, limit = 100) =>
  (await takeDue(db.pool, at(minutes), limit)).map((d) => `${d.collector} ${d.kind}/${d.ownerId}`).toSorted();

const record = (more: Partial<CollectionRecord>): CollectionRecord => ({
  collector: 'wallet',
  kind: 'character',
  ownerId: 1,
  isCollected: true,
  notBefore: undefined,
  note: undefined,
  ...more,
});

test('an assignment inserted by SQL is due at once and taken once', async () => {
  await assign('WALLET', { character: 1 });
  await assign('ASSETS', { corporation: 98000001 });
  const [one, two] = await Promise.all([due(0), due(0)]);
  expect([...one, ...two].toSorted()).toEqual(['assets corporation/98000001', 'wallet character/1']);
  expect(await due(1)).toEqual([]);
});

test('an assignment that was taken and not completed is due again after ten minutes', async () => {
  await assign('WALLET', { character: 1 });
  await due(0);
  expect(await due(9)).toEqual([]);
  expect(await due(10)).toEqual(['wallet character/1']);
});

test('an assignment keeps its place in the interval after a late run or a delay by ESI', async () => {
  await assign('WALLET', { character: 1 }, 30);
  const next = async (now: Date, notBefore?: Date) => {
    await recordCollection(db.pool, record({ notBefore }), now);
    const [row] = await db.rows<{ at: Date }>('SELECT next_collection_at AS at FROM collector_assignments');
    return row!.at;
  };
  const first = await next(at(1), at(70));
  const after = (minutes: number) => new Date(first.getTime() + minutes * MINUTE);
  expect(first.getTime()).toBeGreaterThan(at(70).getTime());
  expect(first.getTime()).toBeLessThanOrEqual(at(100).getTime());
  expect(await next(after(0))).toEqual(after(30));
  expect(await next(after(34))).toEqual(after(60));
  expect(await next(after(60), after(95))).toEqual(after(95));
  expect(await takeDue(db.pool, after(94), 1)).toEqual([]);
  expect(await takeDue(db.pool, after(95), 1)).toHaveLength(1);
  expect(await next(after(95))).toEqual(after(120));
});

test('assignments created together are spread over the interval', async () => {
  await db.pool.query('TRUNCATE characters CASCADE');
  await owners(200);
  for (let n = 1; n <= 200; n++) await assign('WALLET', { character: n });
  expect(await due(0, 500)).toHaveLength(200);
  for (let n = 1; n <= 200; n++) await recordCollection(db.pool, record({ ownerId: n }), at(0));
  const minutes = await db.rows<{ n: number }>(
    `SELECT count(*) AS n FROM collector_assignments GROUP BY date_trunc('minute', next_collection_at)`,
  );
  expect(minutes.length).toBeGreaterThan(20);
  expect(Math.max(...minutes.map((m) => m.n))).toBeLessThan(25);
  // Within one interval, evenly: half an hour brings half of them, the hour the others.
  const early = await due(30, 500);
  expect(early.length).toBeGreaterThan(60);
  expect(early.length).toBeLessThan(140);
  expect(new Set([...early, ...(await due(60, 500))]).size).toBe(200);
});

test('a collector name may have hyphens or underscores', async () => {
  await assign('TWO_WORDS', { character: 1 });
  await assign('two-words', { character: 2 });
  expect(await due(0)).toEqual(['two-words character/1', 'two-words character/2']);
  for (const ownerId of [1, 2])
    await recordCollection(db.pool, record({ collector: 'two-words', ownerId, note: 'seen' }), at(0));
  await db.pool.query('UPDATE collector_assignments SET is_enabled = false WHERE character_id = 2');
  expect(await readAssignedTargets(db.pool, 'two-words')).toEqual([
    { collector: 'two-words', target: 'character/1', minutes: 60, isEnabled: true, note: 'seen' },
    { collector: 'two-words', target: 'character/2', minutes: 60, isEnabled: false, note: 'seen' },
  ]);
});

test('an assignment that is disabled, deleted or without a login is not due', async () => {
  await assign('WALLET', { character: 1 });
  await assign('WALLET', { character: 2 });
  await assign('WALLET', { character: 3 });
  await assign('WALLET', { corporation: 98000002 });
  await db.pool.query('UPDATE collector_assignments SET is_enabled = false WHERE character_id = 1');
  await db.pool.query('UPDATE esi_tokens SET is_active = false WHERE character_id = 2');
  await db.pool.query('DELETE FROM characters WHERE character_id = 3');
  expect(await due(0)).toEqual([]);
  await db.pool.query('UPDATE collector_assignments SET is_enabled = true WHERE character_id = 1');
  expect(await due(1)).toEqual(['wallet character/1']);
});

test('an assignment of a corporation is due while any member is logged in', async () => {
  await assign('ASSETS', { corporation: 98000001 });
  await db.pool.query('UPDATE esi_tokens SET is_active = false WHERE character_id < 3');
  expect(await due(0)).toEqual(['assets corporation/98000001']);
  await db.pool.query('UPDATE characters SET corporation_id = 98000002 WHERE character_id = 3');
  expect(await due(20)).toEqual([]);
});

test('an assignment has exactly one owner, and an owner has a collector once', async () => {
  const insert = (values: string) =>
    db.pool.query(
      `INSERT INTO collector_assignments (collector_type, character_id, corporation_id) VALUES ${values}`,
    );
  await expect(insert(`('WALLET', NULL, NULL)`)).rejects.toThrow('one_owner');
  await expect(insert(`('WALLET', 1, 98000001)`)).rejects.toThrow('one_owner');
  await insert(`('WALLET', 1, NULL)`);
  await expect(insert(`('WALLET', 1, NULL)`)).rejects.toThrow('unique');
  await expect(insert(`('WALLET', 99, NULL)`)).rejects.toThrow('foreign key');
});
