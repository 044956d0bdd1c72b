import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Order } from '../../simulator/index.ts';
import {
  closeSimulators,
  DOMAIN,
  FORGE,
  get,
  HEADERS,
  offenceKinds,
  ORDERS,
  readPage,
  startTestSimulator,
  readAllPages,
} from './test-simulator.ts';

afterEach(closeSimulators);

describe('orders', () => {
  test('orders are paged by 1,000 with the headers of ESI', async () => {
    const { simulator } = await startTestSimulator();
    const response = await get(simulator, `${ORDERS}&page=1`);
    expect(response.status).toBe(200);
    expect(response.headers.get('x-pages')).toBe('3');
    expect(response.headers.get('cache-control')).toBe('public');
    expect(response.headers.get('etag')).toMatch(/^W\/"[0-9a-f]{56}"$/);
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(response.headers.get('vary')).toContain('Accept-Encoding');
    expect(response.headers.get('x-ratelimit-group')).toBe('market-order');
    expect(response.headers.get('x-ratelimit-limit')).toBe('12000/15m');
    expect(response.headers.get('x-ratelimit-remaining')).toBe('11998');
    expect(response.headers.has('x-esi-error-limit-remain')).toBe(false);
    const modified = Date.parse(response.headers.get('last-modified') ?? '');
    expect(Date.parse(response.headers.get('expires') ?? '') - modified).toBe(300_000);
    expect(simulator.world.snapshot(FORGE).lastModified.getTime()).toBe(modified);

    const pages = await readAllPages(simulator);
    expect(pages.map(({ rows }) => rows.length)).toEqual([1_000, 1_000, 500]);
    expect(pages.flatMap(({ rows }) => rows)).toEqual(simulator.world.snapshot(FORGE).rows);
  });

  test('orders refer to types, systems and stations that exist', async () => {
    const { simulator } = await startTestSimulator();
    const { world } = simulator;
    for (const order of world.orders(FORGE)) {
      expect(world.types.has(order.type_id)).toBe(true);
      expect(world.systems.has(order.system_id)).toBe(true);
      if (order.location_id < 1e12)
        expect(world.stations.get(order.location_id)?.system_id).toBe(order.system_id);
      expect(order.volume_remain).toBeGreaterThan(0);
      expect(order.volume_remain).toBeLessThanOrEqual(order.volume_total);
      expect(order.price).toBeGreaterThanOrEqual(0.01);
      if (!order.is_buy_order) expect([order.range, order.min_volume]).toEqual(['region', 1]);
    }
    const ids = [FORGE, DOMAIN].flatMap((id) => world.orders(id).map((order) => order.order_id));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('orders are 404 after the last page and for unknown regions, and empty for a region without orders', async () => {
    const { simulator } = await startTestSimulator();
    const beyond = await get(simulator, `${ORDERS}&page=4`);
    expect(beyond.status).toBe(404);
    expect(await beyond.json()).toEqual({ error: 'Requested page does not exist!' });
    expect((await get(simulator, '/markets/10009999/orders?order_type=all')).status).toBe(404);
    const empty = await get(simulator, '/markets/19000001/orders?order_type=all');
    expect([await empty.json(), empty.headers.get('x-pages')]).toEqual([[], '1']);
  });

  test('a known entity tag, quoted or not, gets a 304 with the same headers', async () => {
    const { simulator } = await startTestSimulator();
    const first = await get(simulator, `${ORDERS}&page=2`);
    const etag = first.headers.get('etag') ?? '';
    for (const given of [etag, etag.replaceAll(/W\/|"/g, '')]) {
      const again = await get(simulator, `${ORDERS}&page=2`, { 'if-none-match': given });
      expect(again.status).toBe(304);
      for (const name of ['etag', 'expires', 'last-modified', 'x-pages']) {
        expect(again.headers.get(name)).toBe(first.headers.get(name));
      }
      expect(again.headers.get('x-ratelimit-used')).toBe('1');
    }
    expect(simulator.requests().at(-1)).toMatchObject({
      route: '/markets/{region_id}/orders',
      status: 304,
      method: 'GET',
    });
  });

  test('orders are sent unpacked to a caller without gzip', async () => {
    const { simulator } = await startTestSimulator();
    const response = await get(simulator, `${ORDERS}&page=3`, { 'accept-encoding': 'identity' });
    expect(response.headers.get('content-encoding')).toBeNull();
    expect(await response.json()).toHaveLength(500);
    expect(offenceKinds(simulator)).toEqual(['no-gzip']);
  });
});

describe('the world', () => {
  test('orders are the same for the same seed and snapshots', async () => {
    const worlds = [];
    for (const seed of [7, 7, 8]) {
      const { simulator } = await startTestSimulator({ seed, churn: 0.05 });
      simulator.world.takeSnapshot();
      simulator.world.takeSnapshot(FORGE);
      worlds.push(JSON.stringify(simulator.world.snapshot(FORGE).rows));
    }
    expect(worlds[0]).toBe(worlds[1]);
    expect(worlds[0]).not.toBe(worlds[2]);
  });

  test('a region has a new snapshot after Expires, and never two with one Last-Modified', async () => {
    const { simulator, clock } = await startTestSimulator({ churn: 0.02 });
    const before = simulator.world.snapshot(FORGE);
    await readPage(simulator, 1);
    clock.advance(301_000);
    const { modified } = await readPage(simulator, 1);
    expect(Date.parse(modified)).toBe(before.expires.getTime());
    for (let turn = 0; turn < 3; turn++) simulator.world.takeSnapshot(FORGE);
    const times = simulator.world.snapshots(FORGE).map((snapshot) => snapshot.lastModified.getTime());
    expect(new Set(times).size).toBe(5);
    expect(offenceKinds(simulator)).toEqual([]);
  });

  test('churn changes orders as a market does', async () => {
    const { simulator } = await startTestSimulator({ churn: 0.1 });
    const before = new Map(simulator.world.snapshot(FORGE).rows.map((row) => [row.order_id, row]));
    simulator.world.takeSnapshot(FORGE);
    const { rows, lastModified } = simulator.world.snapshot(FORGE);
    let changed = 0;
    let opened = 0;
    for (const row of rows) {
      const old = before.get(row.order_id);
      if (!old) opened++;
      else if (old !== row) {
        changed++;
        expect(row.volume_remain).toBeLessThanOrEqual(old.volume_remain);
        if (row.price !== old.price) expect(Date.parse(row.issued)).toBe(lastModified.getTime());
      }
    }
    expect(changed).toBeGreaterThan(120);
    expect(opened).toBeGreaterThan(20);
    expect(rows.length).toBeGreaterThan(2_450);
  });

  test('changed orders are visible in the next snapshot', async () => {
    const { simulator } = await startTestSimulator({ churn: 0 });
    const { world } = simulator;
    const [first, second] = world.snapshot(FORGE).rows as [Order, Order];
    world.changeOrder(FORGE, first.order_id, { price: 12.34 });
    world.removeOrder(FORGE, second.order_id);
    const added = world.addOrder(FORGE, { type_id: 34, price: 5 });
    expect((await readPage(simulator, 1)).rows[0]).toEqual(first);
    world.takeSnapshot(FORGE);
    const rows = (await readAllPages(simulator)).flatMap((part) => part.rows);
    expect(rows).toHaveLength(2_500);
    expect(rows[0]?.price).toBe(12.34);
    expect(rows.some((row) => row.order_id === second.order_id)).toBe(false);
    expect(rows.find((row) => row.order_id === added.order_id)).toEqual(added);
  });
});

describe('static data', () => {
  test('static data has lists and single rows that expire at 11:05', async () => {
    const { simulator } = await startTestSimulator();
    const types = await get(simulator, '/universe/types');
    expect([types.headers.get('x-pages'), ((await types.json()) as number[]).length]).toEqual(['1', 300]);
    const jita = await get(simulator, '/universe/systems/30000142');
    expect(await jita.json()).toMatchObject({ name: 'Jita', system_id: 30000142 });
    for (const { headers } of [types, jita]) {
      expect(headers.get('expires')).toBe('Fri, 21 Aug 2026 11:05:00 GMT');
      expect(headers.get('x-esi-error-limit-remain')).toBe('100');
      expect(headers.has('x-ratelimit-group')).toBe(false);
    }
    const station = await get(simulator, '/universe/stations/60003760');
    expect(await station.json()).toMatchObject({ name: 'Jita IV - Moon 4 - Caldari Navy Assembly Plant' });
    for (const path of ['groups', 'categories', 'systems', 'regions', 'constellations']) {
      const ids = (await (await get(simulator, `/universe/${path}`)).json()) as number[];
      expect((await get(simulator, `/universe/${path}/${ids[0]}`)).status).toBe(200);
    }
    expect(await (await get(simulator, '/universe/schematics/65')).json()).not.toHaveProperty('pins');
    const marketGroups = (await (await get(simulator, '/markets/groups')).json()) as number[];
    expect((await get(simulator, `/markets/groups/${marketGroups[0]}`)).status).toBe(200);
    expect((await get(simulator, '/universe/structures/1020000000001')).status).toBe(401);
    expect((await get(simulator, '/meta/status')).status).toBe(200);
    expect((await get(simulator, '/meta/compatibility-dates')).status).toBe(200);
    expect(await (await get(simulator, '/status')).json()).toHaveProperty('players');
  });

  test('static data is served as an archive of the current build', async () => {
    const { simulator } = await startTestSimulator();
    const { world } = simulator;
    world.setBuild(4_000_000);
    const latest = await fetch(`${simulator.sdeUrl}/tranquility/latest.jsonl`, { headers: HEADERS });
    expect(JSON.parse(await latest.text())).toMatchObject({ _key: 'sde', buildNumber: 4_000_000 });
    const url = `${simulator.sdeUrl}/tranquility/eve-online-static-data-4000000-jsonl.zip`;
    const archive = await fetch(url, { headers: HEADERS });
    const bytes = Buffer.from(await archive.arrayBuffer());
    expect(bytes.subarray(0, 2).toString()).toBe('PK');
    const etag = archive.headers.get('etag') ?? '';
    expect((await fetch(url, { headers: { ...HEADERS, 'if-none-match': etag } })).status).toBe(304);
    world.hide('types', 34);
    expect((await fetch(url, { headers: { ...HEADERS, 'if-none-match': etag } })).status).toBe(200);
    expect((await get(simulator, '/universe/types/34')).status).toBe(200);
    world.forget('types', 34);
    expect((await get(simulator, '/universe/types/34')).status).toBe(404);
    expect(simulator.requests().filter((request) => request.route === 'sde')).toHaveLength(4);
  });

  test('takePriceSnapshot changes the prices', async () => {
    const { simulator } = await startTestSimulator();
    const before = await get(simulator, '/markets/prices');
    simulator.world.changePrices(0.5);
    simulator.world.takePriceSnapshot();
    const after = await get(simulator, '/markets/prices');
    expect(await after.json()).toEqual(simulator.world.prices());
    expect(after.headers.get('etag')).not.toBe(before.headers.get('etag'));
    expect(offenceKinds(simulator)).toEqual([]);
  });
});

describe('limits', () => {
  test('an empty bucket answers 429 until tokens come back', async () => {
    const { simulator, clock } = await startTestSimulator();
    simulator.faults.status(404, { route: '/status', times: 120 }); // 120 times 5 tokens are the 600
    for (let call = 0; call < 120; call++) await get(simulator, '/status');
    const refused = await get(simulator, '/status');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '900']);
    expect(refused.headers.get('x-ratelimit-remaining')).toBe('0');
    await delay(150); // after the grace period for requests that were already sent
    await get(simulator, '/status');
    expect(offenceKinds(simulator)).toContain('ignored-retry-after');
    expect((await get(simulator, `${ORDERS}&page=1`)).status).toBe(200);
    clock.advance(900_000);
    expect((await get(simulator, '/status')).status).toBe(200);
  });

  test('every request gets 420 after 100 errors in a minute', async () => {
    const { simulator, clock } = await startTestSimulator();
    clock.advance(15_000);
    for (let id = 0; id < 100; id++) await get(simulator, `/universe/types/${900_000 + id}`);
    const refused = await get(simulator, `${ORDERS}&page=1`);
    expect(refused.status).toBe(420);
    expect(refused.headers.get('x-esi-error-limit-remain')).toBe('0');
    expect(refused.headers.get('x-esi-error-limit-reset')).toBe('45');
    await delay(150);
    await get(simulator, '/markets/prices');
    expect(offenceKinds(simulator)).toEqual(['ignored-420']);
    clock.advance(45_000);
    expect((await get(simulator, '/markets/prices')).status).toBe(200);
  });

  test('enforceLimits: false disables the limits', async () => {
    const { simulator } = await startTestSimulator({ enforceLimits: false });
    for (let id = 0; id < 101; id++) await get(simulator, `/universe/types/${900_000 + id}`);
    expect((await get(simulator, '/markets/prices')).status).toBe(200);
  });
});
