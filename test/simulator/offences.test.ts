import { afterEach, describe, expect, test } from '@jest/globals';
import { closeAll, FORGE, get, kinds, page, start, sweep } from './support.ts';

afterEach(closeAll);

describe('offences', () => {
  test('a polite caller commits none', async () => {
    const { simulator, clock } = await start();
    for (let round = 0; round < 3; round++) {
      await sweep(simulator);
      clock.pass(300);
    }
    expect(simulator.offences()).toEqual([]);
  });

  test('asking too early, though not after a turn', async () => {
    const { simulator } = await start();
    await page(simulator, 1);
    simulator.world.takeSnapshot(FORGE);
    await page(simulator, 1);
    expect(kinds(simulator)).toEqual([]);
    await page(simulator, 1);
    expect(kinds(simulator)).toEqual(['too-early']);
    simulator.resetCounters();
    expect([simulator.offences(), simulator.requests()]).toEqual([[], []]);
  });

  test('headers that are missing', async () => {
    const { simulator } = await start();
    await fetch(`${simulator.url}/status`, { headers: { 'user-agent': 'x', 'accept-encoding': 'br' } });
    expect(kinds(simulator)).toEqual(['no-user-agent', 'no-compatibility-date', 'no-gzip']);
  });

  test('pages beyond the last, repeated refusals, and tags of nothing', async () => {
    const { simulator, clock } = await start();
    await page(simulator, 1);
    await page(simulator, 4);
    expect(kinds(simulator)).toEqual(['page-beyond']);
    await get(simulator, '/universe/types/900000');
    clock.pass(30);
    await get(simulator, '/universe/types/900000');
    clock.pass(61);
    await get(simulator, '/universe/types/900000');
    expect(kinds(simulator)).toEqual(['page-beyond', 'retried-4xx']);
    await get(simulator, '/markets/prices', { 'if-none-match': '"mine"' });
    await get(simulator, '/universe/groups', { 'if-none-match': `W/"${'0'.repeat(56)}"` }); // of an earlier simulator
    expect(kinds(simulator)).toEqual(['page-beyond', 'retried-4xx', 'conditional-mismatch']);
  });

  test('more than 20 at once', async () => {
    const { simulator } = await start({ latencyMs: 50 });
    await Promise.all(Array.from({ length: 20 }, (_, id) => get(simulator, `/universe/types/${34 + id}`)));
    expect(kinds(simulator)).not.toContain('too-many-in-flight');
    await Promise.all(Array.from({ length: 21 }, (_, id) => get(simulator, `/universe/groups/${id}`)));
    expect(kinds(simulator)).toContain('too-many-in-flight');
  });
});
