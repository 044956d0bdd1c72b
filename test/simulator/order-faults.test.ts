import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Faults } from '../../simulator/index.ts';
import {
  closeSimulators,
  get,
  HEADERS,
  offenceKinds,
  ORDERS,
  readPage,
  START,
  startTestSimulator,
  readAllPages,
} from './test-simulator.ts';

afterEach(closeSimulators);

describe('faults of orders', () => {
  const bodies: [string, (faults: Faults) => void, (text: string, response: Response) => void][] = [
    ['html', (faults) => faults.html(), (text) => expect(text).toContain('<html>')],
    ['plainText', (faults) => faults.plainText(), (text) => expect(text).toContain('upstream')],
    ['badJson', (faults) => faults.badJson(), (text) => expect(() => JSON.parse(text) as unknown).toThrow()],
    ['rawBody', (faults) => faults.rawBody('{}'), (text) => expect(text).toBe('{}')],
    ['oversize', (faults) => faults.oversize(200_000), (text) => expect(text).toHaveLength(200_000)],
    ['emptyPage', (faults) => faults.emptyPage(1), (text) => expect(text).toBe('[]')],
    ['vip', (faults) => faults.vip(), (text) => expect(text).toContain('"vip":true')],
    ['down', (faults) => faults.down(), (_text, response) => expect(response.status).toBe(503)],
    [
      'status',
      (faults) => faults.status(429, { retryAfter: 7, headers: false }),
      ({ length }, { status, headers }) => {
        expect([status, headers.get('retry-after'), headers.has('x-ratelimit-group')]).toEqual([
          429,
          '7',
          false,
        ]);
        expect(length).toBeGreaterThan(0);
      },
    ],
    [
      'clockSkew',
      (faults) => faults.clockSkew(-60_000),
      (_text, { headers }) => expect(Date.parse(headers.get('date') ?? '')).toBe(START - 60_000),
    ],
  ];
  test.each(bodies)('the fault %s changes the answer until it is cleared', async (name, set, check) => {
    const { simulator } = await startTestSimulator();
    set(simulator.faults);
    const path = name === 'vip' ? '/status' : `${ORDERS}&page=1`;
    const response = await get(simulator, path);
    check(await response.text(), response);
    simulator.faults.clear();
    const healthy = await get(simulator, path);
    if (name !== 'status') expect(healthy.status).toBe(200);
  });

  test('a fault affects only its route, and only as often as its option says', async () => {
    const { simulator } = await startTestSimulator();
    simulator.faults.status(502, { route: 'prices', times: 1 });
    expect((await get(simulator, '/status')).status).toBe(200);
    expect((await get(simulator, '/markets/prices')).status).toBe(502);
    expect((await get(simulator, '/markets/prices')).status).toBe(200);
    simulator.faults.status(500, { route: 'sde' });
    expect((await fetch(`${simulator.sdeUrl}/tranquility/latest.jsonl`, { headers: HEADERS })).status).toBe(
      500,
    );
    expect(offenceKinds(simulator)).toEqual([]);
  });

  test('truncate, reset and down break the connection', async () => {
    const { simulator } = await startTestSimulator();
    simulator.faults.truncate({ times: 1 });
    await expect(get(simulator, `${ORDERS}&page=1`).then((response) => response.text())).rejects.toThrow();
    simulator.faults.reset({ times: 1 });
    await expect(get(simulator, `${ORDERS}&page=1`)).rejects.toThrow();
    simulator.faults.down('reset');
    await expect(get(simulator, '/status')).rejects.toThrow();
    simulator.faults.clear();
    expect((await get(simulator, `${ORDERS}&page=1`)).status).toBe(200);
    expect(offenceKinds(simulator)).toEqual([]);
    expect(simulator.requests().map((request) => request.status)).toEqual([0, 0, 0, 200]); // 0: no whole answer
  });

  test('a hanging answer does not keep the simulator from closing', async () => {
    const { simulator } = await startTestSimulator();
    simulator.faults.hang();
    const response = get(simulator, '/status');
    const winner = await Promise.race([response.catch(() => 'closed'), delay(100, 'waiting')]);
    expect(winner).toBe('waiting');
    await simulator.close();
    await expect(response).rejects.toThrow();
  });

  test('latency delays an answer', async () => {
    const { simulator } = await startTestSimulator();
    simulator.faults.latency(60);
    const from = performance.now();
    await get(simulator, '/status');
    expect(performance.now() - from).toBeGreaterThan(50);
  });

  test('tear mixes two snapshots in one read, and the next read is whole', async () => {
    const { simulator } = await startTestSimulator();
    simulator.faults.tear({ times: 1 });
    const torn = await readAllPages(simulator);
    expect(new Set(torn.map(({ modified }) => modified)).size).toBe(2);
    const whole = await readAllPages(simulator);
    expect(new Set(whole.map(({ modified }) => modified)).size).toBe(1);
    expect(offenceKinds(simulator)).toEqual([]); // a torn snapshot may be read again, although two of its pages have not expired
    await readPage(simulator, 2);
    expect(offenceKinds(simulator)).toEqual(['too-early']);
  });

  test('duplicateRow, dropRow and wrongPages change a read under one Last-Modified', async () => {
    const { simulator } = await startTestSimulator();
    simulator.faults.duplicateRow();
    const duplicated = (await readAllPages(simulator)).flatMap(({ rows }) => rows);
    expect(duplicated.at(-1)).toEqual(duplicated[0]);
    simulator.faults.clear();
    simulator.faults.dropRow();
    const dropped = await readAllPages(simulator);
    expect(dropped.map(({ rows }) => rows.length)).toEqual([1_000, 999, 500]);
    expect(new Set(dropped.map(({ modified }) => modified)).size).toBe(1);
    simulator.faults.clear();
    simulator.faults.wrongPages(9);
    expect([(await readPage(simulator, 1)).pages, (await readPage(simulator, 2)).pages]).toEqual([3, 9]);
  });

  test('emptySnapshot, collapse and mutateRows serve a consistent snapshot with wrong rows', async () => {
    const { simulator } = await startTestSimulator();
    simulator.faults.emptySnapshot();
    expect(await readPage(simulator, 1)).toMatchObject({ rows: [], pages: 1 });
    simulator.faults.clear();
    simulator.faults.collapse(0.5);
    expect((await readAllPages(simulator)).map(({ rows }) => rows.length)).toEqual([1_000, 250]);
    simulator.faults.clear();
    simulator.faults.mutateRows((row) => (row.type_id === 34 ? null : { ...row, price: 'free' }));
    const { rows } = await readPage(simulator, 1);
    expect(rows.every((row) => (row.price as unknown) === 'free' && row.type_id !== 34)).toBe(true);
  });
});
