import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DEFAULT_CLIENT } from '../../../simulator/sso/sso-options.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { type TestApp, testApp } from '../../support/test-app.ts';
import { ANNA, CORPORATION, logIn } from '../../support/owner-engine.ts';
import { eventually } from '../../support/test-temporal.ts';

const SETTINGS = { ESI_CLIENT_ID: DEFAULT_CLIENT.id, ESI_CLIENT_SECRET: DEFAULT_CLIENT.secret ?? '' };

let app: TestApp;
beforeAll(async () => {
  app = await testApp({
    owners: {
      // Several pages, so that chunks and publishing are steps of their own.
      characters: [{ id: ANNA, name: 'Anna Testa', assets: 2_500, corporationId: CORPORATION }],
      corporations: [{ id: CORPORATION }],
    },
    settings: SETTINGS,
  });
  await app.startWorkers();
  await app.collect({ collector: 'universe' });
  await logIn({ ...app, clock: systemClock }, ANNA);
});
afterAll(async () => {
  await app.close();
});

const dispatch = async (workflowId: string) => {
  const { client } = app.temporal;
  const handle = await client.workflow.start('dispatch', { taskQueue: 'collect', workflowId, args: [] });
  return (await handle.result()) as { started: number; running: number };
};

test('due assignments run once under their business ids, and no history contains a secret', async () => {
  const { db, temporal } = app;
  await db.pool.query(
    `INSERT INTO collector_assignments (character_id, collector_type)
     VALUES ($1, 'ASSETS'), ($1, 'WALLET'), ($1, 'ORDERS'), ($1, 'INDUSTRY')`,
    [ANNA],
  );
  const [token] = await db.rows<{ access_token: string; refresh_token: string }>('SELECT * FROM esi_tokens');
  const [one, two] = await Promise.all([dispatch('owners-1'), dispatch('owners-2')]);
  expect(one.started + two.started).toBe(4);
  const done = `SELECT note FROM collector_assignments WHERE last_collected_at IS NOT NULL`;
  await eventually('all four', async () => (await db.rows(done)).length === 4);
  expect(await db.rows(done)).toEqual([{ note: null }, { note: null }, { note: null }, { note: null }]);
  expect(await db.rows('SELECT count(*) AS n FROM assets')).toEqual([{ n: 2_500 }]);

  // Both were inserted as plaintext and are encrypted in place.
  const [encrypted] = await db.rows<typeof token & object>('SELECT * FROM esi_tokens');
  const { cipher } = app.context;
  expect([encrypted!.access_token, encrypted!.refresh_token].map((text) => cipher.isEncrypted(text))).toEqual(
    [true, true],
  );

  let histories = '';
  const ids = ['assets', 'wallet', 'orders', 'industry'].map((name) => `${name}/character/${ANNA}`);
  for (const id of [...ids, 'owners-1', 'owners-2'])
    histories += JSON.stringify(await temporal.client.workflow.getHandle(id).fetchHistory());
  expect(histories.length).toBeGreaterThan(5_000);
  const secrets = [
    token!.access_token,
    token!.refresh_token,
    encrypted!.access_token,
    DEFAULT_CLIENT.secret ?? 'none',
  ];
  for (const secret of secrets) {
    expect(histories).not.toContain(secret);
    expect(histories).not.toContain(Buffer.from(secret).toString('base64').slice(4, -4));
  }
});

test('dispatch does not wait for the refresh of affiliations', async () => {
  const { db, sim } = app;
  const until = () =>
    db.rows<{ until: Date | null }>(
      'SELECT affiliation_until AS until FROM characters WHERE character_id = $1',
      [ANNA],
    );
  await db.pool.query('UPDATE characters SET affiliation_until = NULL');
  sim.faults.latency(10_000, { route: '/characters/affiliation' });
  await dispatch('owners-3');
  await dispatch('owners-4');
  expect(await until()).toEqual([{ until: null }]);
  sim.faults.clear();
  await eventually('the answer', async () => (await until())[0]?.until instanceof Date);
});

test('maintenance encrypts tokens, because without an application there is no dispatcher', async () => {
  await app.db.pool.query(`UPDATE esi_tokens SET access_token = 'in the clear'`);
  const housekeeping = { taskQueue: 'collect', workflowId: 'maintenance', args: [] };
  await (await app.temporal.client.workflow.start('maintain', housekeeping)).result();
  const [token] = await app.db.rows<{ access_token: string }>('SELECT access_token FROM esi_tokens');
  expect(app.context.cipher.isEncrypted(token!.access_token)).toBe(true);
});
