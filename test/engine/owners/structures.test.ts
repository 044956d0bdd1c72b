import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type TestEngine, testEngine } from '../../support/test-engine.ts';
import { ANNA, BRAM, logIn } from '../../support/owner-engine.ts';

const HOUR = 3_600_000;
const [OPEN, PRIVATE, CLOSED] = [1_035_000_000_001, 1_035_000_000_002, 1_035_000_000_003];
const ROUTE = '/universe/structures/{structure_id}';

let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine();
  await engine.collect('universe');
  await engine.db.pool.query(
    `INSERT INTO structures (structure_id, name, is_placeholder)
     SELECT id, 'unknown structure ' || id, true FROM unnest($1::bigint[]) AS id`,
    [[OPEN, PRIVATE, CLOSED]],
  );
});
afterEach(() => engine.close());

const collect = () => engine.collect('structures');
const named = () =>
  engine.db.rows(
    'SELECT structure_id, name, is_placeholder FROM structures WHERE structure_id >= $1 ORDER BY 1',
    [OPEN],
  );
const refusals = () => engine.sim.requests().filter((r) => r.route === ROUTE && r.status === 403).length;

async function logInAll(): Promise<void> {
  await logIn(engine, BRAM);
  await logIn(engine, ANNA);
}

test('each structure is requested through a character with access', async () => {
  await logInAll();
  expect(await collect()).toMatchObject({ outcome: 'published', changed: 2 });
  expect(await named()).toEqual([
    { structure_id: OPEN, name: 'Jita - Common Ground', is_placeholder: false },
    { structure_id: PRIVATE, name: 'Jita - Private Hall', is_placeholder: false },
    { structure_id: CLOSED, name: `unknown structure ${CLOSED}`, is_placeholder: true },
  ]);
});

test('a refused request for a structure is repeated at growing intervals', async () => {
  await logInAll();
  await collect();
  const first = refusals();
  await collect();
  expect(refusals()).toBe(first); // no request is repeated
  const refusedAt: number[] = [];
  for (let hours = 0; hours < 40; hours++) {
    engine.clock.advance(HOUR + 1_000);
    const before = refusals();
    await collect();
    if (refusals() > before) refusedAt.push(hours + 1);
  }
  expect(refusedAt.length).toBeGreaterThanOrEqual(3);
  expect(refusedAt.length).toBeLessThanOrEqual(8);
  const waits = refusedAt.map((hour, i) => hour - (refusedAt[i - 1] ?? 0));
  expect(waits.at(-1)).toBeGreaterThan(waits[0]!);
});

test('a structure that grants access later gets its name', async () => {
  await logInAll();
  await collect();
  engine.sim.owners.grant(CLOSED, BRAM);
  engine.clock.advance(2 * HOUR);
  await collect();
  expect(await named()).toContainEqual({
    structure_id: CLOSED,
    name: 'Jita - Closed Gates',
    is_placeholder: false,
  });
  const kept = async () => engine.db.rows("SELECT rows FROM published_sets WHERE collector = 'structures'");
  expect(await kept()).toEqual([{ rows: 3 }]);
  await collect(); // nothing new: what is known stays
  expect(await kept()).toEqual([{ rows: 3 }]);
  expect(
    await engine.db.rows('SELECT FROM esi_refusals WHERE subject = $1 AND character_id = $2', [
      `structure/${CLOSED}`,
      BRAM,
    ]),
  ).toEqual([]);
});

test('without a login no structure is requested and the placeholders stay', async () => {
  expect(await collect()).toMatchObject({ outcome: 'unchanged' });
  expect(engine.sim.requests().filter((r) => r.route === ROUTE)).toEqual([]);
  expect((await named()).every((row) => row['is_placeholder'] === true)).toBe(true);
});

test('a run of structures stops after ten refusals', async () => {
  await logInAll();
  await engine.db.pool.query(
    `INSERT INTO structures (structure_id, name, is_placeholder)
     SELECT 1045000000000 + n, 'unknown', true FROM generate_series(1, 40) n`,
  );
  await collect();
  const bad = engine.sim.requests().filter((r) => r.route === ROUTE && r.status >= 400);
  expect(bad.length).toBeLessThanOrEqual(10);
});

test('the name of a structure is stored without characters that PostgreSQL cannot store', async () => {
  await logInAll();
  engine.sim.faults.mutateRows<{ name: string }>((row) => ({ ...row, name: `${row.name}\0\ud800` }), {
    route: ROUTE,
  });
  expect(await collect()).toMatchObject({ outcome: 'published', changed: 2 });
  expect((await named())[0]).toMatchObject({ name: 'Jita - Common Ground' });
});

test('a structure without access for 30 characters does not block the others', async () => {
  await engine.close();
  const many = Array.from({ length: 30 }, (_, n) => ({ id: ANNA + n, name: `Pilot ${n}`, assets: 3 }));
  engine = await testEngine({ owners: { characters: many } });
  await engine.collect('universe');
  for (const { id } of many) await logIn(engine, id);
  await engine.db.pool.query(
    `INSERT INTO structures (structure_id, name, is_placeholder, updated_at)
     VALUES ($1, 'first in the queue', true, '2026-01-01'), ($2, 'the next', true, '2026-01-02')`,
    [CLOSED, OPEN],
  );
  await collect();
  expect(await named()).toContainEqual({
    structure_id: OPEN,
    name: 'Jita - Common Ground',
    is_placeholder: false,
  });
});

test('a structure that the limit of refusals interrupted is first in the next run', async () => {
  await engine.close();
  const many = Array.from({ length: 8 }, (_, n) => ({ id: ANNA + n, name: `Pilot ${n}`, assets: 3 }));
  engine = await testEngine({ owners: { characters: many } });
  await engine.collect('universe');
  for (const { id } of many) await logIn(engine, id);
  // 1: refused three times, then allowed; 2: refused five times; 3: cut short after two
  const [first, second, third] = [CLOSED, 1_045_000_000_002, 1_045_000_000_003];
  await engine.db.pool.query(
    `INSERT INTO structures (structure_id, name, is_placeholder, updated_at) VALUES ($1, 'a', true, '2026-01-01'),
       ($2, 'b', true, '2026-01-02'), ($3, 'c', true, '2026-01-03')`,
    [first, second, third],
  );
  engine.sim.owners.grant(first, many[3]!.id);
  await collect();
  const queue = () =>
    engine.db.rows(
      'SELECT structure_id FROM structures WHERE is_placeholder ORDER BY updated_at, structure_id',
    );
  expect(await queue()).toEqual([{ structure_id: third }, { structure_id: second }]);
  const refused = await engine.db.rows(
    'SELECT character_id FROM esi_refusals WHERE subject = $1 ORDER BY 1',
    [`structure/${third}`],
  );
  expect(refused).toEqual([{ character_id: many[0]!.id }, { character_id: many[1]!.id }]);
});
