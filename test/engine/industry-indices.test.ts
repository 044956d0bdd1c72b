import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type TestEngine, testEngine } from '../support/test-engine.ts';

let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine();
  await engine.collect('universe');
  engine.sim.resetCounters();
});
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const collect = () => engine.collect('industry-indices');
const nextHour = () => engine.clock.advance(3_601_000);

interface Index {
  readonly solar_system_id: number;
  readonly activity: string;
  readonly cost_index: number;
}

const sorted = (rows: readonly Index[]) =>
  rows.toSorted((a, b) => a.solar_system_id - b.solar_system_id || (a.activity < b.activity ? -1 : 1));
const served = (): Index[] =>
  sorted(
    engine.sim.world.industry
      .list()
      .rows.flatMap(({ solar_system_id, cost_indices }) =>
        cost_indices.map(({ activity, cost_index }) => ({ solar_system_id, activity, cost_index })),
      ),
  );
const stored = async (date: string) =>
  sorted(
    await engine.db.rows<Index>(
      'SELECT solar_system_id, activity, cost_index FROM industry_indices WHERE date = $1',
      [date],
    ),
  );

test('industry indices are stored per system, activity and day, exact to the last digit', async () => {
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: served().length, changed: 0 });
  expect(served().length).toBeGreaterThan(50);
  expect(await stored('2026-11-20')).toEqual(served());
  expect(engine.sim.requests()).toHaveLength(1);
});

test('a later snapshot of a day corrects its rows, a snapshot of the next day adds rows', async () => {
  await collect();
  const first = served();
  nextHour();
  const second = served();
  const changed = second.filter((row, i) => row.cost_index !== first[i]!.cost_index).length;
  expect(changed).toBeGreaterThan(10);
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 0, changed });
  expect(await stored('2026-11-20')).toEqual(second);
  engine.clock.advance(86_400_000);
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: served().length, changed: 0 });
  expect(await stored('2026-11-20')).toEqual(second);
  expect(await stored('2026-11-21')).toEqual(served());
});

test('industry indices are not requested before they expire', async () => {
  await collect();
  engine.clock.advance(60_000);
  expect(await collect()).toMatchObject({ outcome: 'not-due' });
  expect(engine.sim.requests()).toHaveLength(1);
});

test('an invalid index rejects one row, an invalid system rejects its rows', async () => {
  const [first, second, ...others] = engine.sim.world.industry.list().rows;
  const cost_indices = first!.cost_indices.map((index, i) =>
    i === 0 ? { ...index, cost_index: -1 } : index,
  );
  const { solar_system_id } = second!;
  const body = [{ ...first!, cost_indices }, { solar_system_id }, ...others];
  engine.sim.faults.rawBody(JSON.stringify(body), { route: '/industry/systems' });
  const valid = served().length - 1 - second!.cost_indices.length;
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: valid });
  expect(await engine.db.rows('SELECT FROM rejected_rows')).toHaveLength(2);
});

test('the facilities equal the latest list: new ones are added, closed ones removed', async () => {
  const facilities = () => engine.db.rows('SELECT * FROM industry_facilities ORDER BY facility_id');
  const { outcome, inserted } = await engine.collect('industry-facilities');
  expect(outcome).toBe('published');
  const rows = await facilities();
  expect(rows).toHaveLength(inserted!);
  const answer = await fetch(`${engine.sim.url}/industry/facilities`);
  const list = (await answer.json()) as { facility_id: number; tax?: number }[];
  engine.sim.resetCounters();
  const withoutSnapshotTime = (row: object) =>
    Object.fromEntries(Object.entries(row).filter(([key]) => key !== 'snapshot_at'));
  expect(rows.map(withoutSnapshotTime)).toEqual(
    list.map((row) => ({ tax: null, ...row })).toSorted((a, b) => a.facility_id - b.facility_id),
  );
  expect(list.some((row) => row.tax === undefined)).toBe(true);

  nextHour();
  const [first, second, ...others] = list;
  const body = [{ ...second!, tax: 0.099 }, ...others];
  engine.sim.faults.rawBody(JSON.stringify(body), { route: '/industry/facilities' });
  expect(await engine.collect('industry-facilities')).toMatchObject({ inserted: 0, changed: 1, removed: 1 });
  const after = await facilities();
  expect(after.find((row) => row['facility_id'] === first!.facility_id)).toBeUndefined();
  expect(after.find((row) => row['facility_id'] === second!.facility_id)).toMatchObject({ tax: 0.099 });
});
