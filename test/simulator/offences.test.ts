import { afterEach, describe, expect, test } from '@jest/globals';
import {
  closeSimulators,
  FORGE,
  get,
  offenceKinds,
  readPage,
  startTestSimulator,
  readAllPages,
} from './test-simulator.ts';

afterEach(closeSimulators);

describe('offences', () => {
  test('a caller that follows the rules commits no offence', async () => {
    const { simulator, clock } = await startTestSimulator();
    for (let round = 0; round < 3; round++) {
      await readAllPages(simulator);
      clock.advance(300_000);
    }
    expect(simulator.offences()).toEqual([]);
  });

  test('a request before Expires is an offence unless a new snapshot was taken', async () => {
    const { simulator } = await startTestSimulator();
    await readPage(simulator, 1);
    simulator.world.takeSnapshot(FORGE);
    await readPage(simulator, 1);
    expect(offenceKinds(simulator)).toEqual([]);
    await readPage(simulator, 1);
    expect(offenceKinds(simulator)).toEqual(['too-early']);
    simulator.resetCounters();
    expect([simulator.offences(), simulator.requests()]).toEqual([[], []]);
  });

  test('missing headers are offences', async () => {
    const { simulator } = await startTestSimulator();
    await fetch(`${simulator.url}/status`, { headers: { 'user-agent': 'x', 'accept-encoding': 'br' } });
    expect(offenceKinds(simulator)).toEqual(['no-user-agent', 'no-compatibility-date', 'no-gzip']);
  });

  test('pages after the last one, repeated 4xx and invalid entity tags are offences', async () => {
    const { simulator, clock } = await startTestSimulator();
    await readPage(simulator, 1);
    await readPage(simulator, 4);
    expect(offenceKinds(simulator)).toEqual(['page-beyond']);
    await get(simulator, '/universe/types/900000');
    clock.advance(30_000);
    await get(simulator, '/universe/types/900000');
    clock.advance(61_000);
    await get(simulator, '/universe/types/900000');
    expect(offenceKinds(simulator)).toEqual(['page-beyond', 'retried-4xx']);
    await get(simulator, '/markets/prices', { 'if-none-match': '"mine"' });
    await get(simulator, '/universe/groups', { 'if-none-match': `W/"${'0'.repeat(56)}"` }); // the tag of an earlier simulator
    expect(offenceKinds(simulator)).toEqual(['page-beyond', 'retried-4xx', 'conditional-mismatch']);
  });

  test('more than 20 requests at the same time are an offence', async () => {
    const { simulator } = await startTestSimulator({ latencyMs: 50 });
    await Promise.all(Array.from({ length: 20 }, (_, id) => get(simulator, `/universe/types/${34 + id}`)));
    expect(offenceKinds(simulator)).not.toContain('too-many-in-flight');
    await Promise.all(Array.from({ length: 21 }, (_, id) => get(simulator, `/universe/groups/${id}`)));
    expect(offenceKinds(simulator)).toContain('too-many-in-flight');
  });
});
