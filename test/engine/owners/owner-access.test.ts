import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { refreshAffiliations } from '../../../src/engine/owners/refresh-affiliations.ts';
import { takeDueRuns } from '../../../src/engine/owners/due-runs.ts';
import { encryptTokens } from '../../../src/engine/owners/token-service.ts';
import { DIRECTOR_ROLES } from '../../../simulator/owners/owner-options.ts';
import { type TestEngine, testEngine } from '../../support/test-engine.ts';
import {
  advanceOneHour,
  ANNA,
  BRAM,
  CORPORATION,
  logIn,
  characterTarget,
  corporationTarget,
} from '../../support/owner-engine.ts';

const HOUR = 3_601_000;
const CARA = 90_000_003;
const OTHER = 98_000_002;

let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine({
    owners: {
      characters: [
        { id: ANNA, name: 'Anna Testa', corporationId: CORPORATION, roles: [...DIRECTOR_ROLES] },
        { id: BRAM, name: 'Bram Proof', corporationId: CORPORATION },
        { id: CARA, name: 'Cara Deputy', corporationId: CORPORATION, roles: [...DIRECTOR_ROLES] },
      ],
      corporations: [{ id: CORPORATION }, { id: OTHER }],
    },
  });
  await engine.collect('universe');
});
afterEach(() => engine.close());

const collect = (collector = 'assets', target = corporationTarget(CORPORATION)) =>
  engine.collect(collector, target);

/** The statuses of the requests for a route, in order. */
const statuses = (route: string) =>
  engine.sim
    .requests()
    .filter((request) => request.route === route)
    .map((request) => request.status);

const later = () => advanceOneHour(engine);

const noteOf = async (collector = 'ASSETS') =>
  (
    await engine.db.rows<{ note: string | null }>(
      'SELECT note FROM collector_assignments WHERE collector_type = $1',
      [collector],
    )
  )[0]?.note;

const assign = (type: string, owner: { character?: number; corporation?: number }) =>
  engine.db.pool.query(
    'INSERT INTO collector_assignments (collector_type, character_id, corporation_id) VALUES ($1, $2, $3)',
    [type, owner.character ?? null, owner.corporation ?? null],
  );

describe('access to a corporation', () => {
  const ASSETS = '/corporations/{corporation_id}/assets';

  test('a corporation is not requested through a member without the role', async () => {
    await logIn(engine, BRAM);
    await assign('ASSETS', { corporation: CORPORATION });
    expect(await collect()).toMatchObject({
      outcome: 'blocked',
      detail: 'Bram Proof lacks the role Director.',
    });
    expect(statuses(ASSETS)).toEqual([]);
    expect(await noteOf()).toBe('Bram Proof lacks the role Director.');
    expect(await engine.db.rows('SELECT FROM collection_runs WHERE collector = $1', ['assets'])).toEqual([]);
  });

  test('a corporation is requested through a member with the role, and roles are read once an hour', async () => {
    await logIn(engine, ANNA);
    await logIn(engine, BRAM);
    await assign('ASSETS', { corporation: CORPORATION });
    expect(await collect()).toMatchObject({ outcome: 'published' });
    expect(await noteOf()).toBeNull();
    expect(await collect('industry')).toMatchObject({ outcome: 'published' });
    expect(statuses('/characters/{character_id}/roles')).toEqual([200]);
    expect(engine.sim.offences()).toEqual([]);
  });

  test('another member replaces one that lost its role in the same run', async () => {
    await logIn(engine, ANNA);
    await logIn(engine, CARA);
    expect(await collect()).toMatchObject({ outcome: 'published' });
    engine.sim.owners.setRoles(ANNA, []); // ESI shows it within the hour; a refusal shows it at once
    await collect('industry');
    expect(statuses('/corporations/{corporation_id}/industry/jobs')).toEqual([403, 200]);
    await later();
    expect(await collect()).toMatchObject({ outcome: expect.stringMatching(/published|unchanged/) });
    expect(statuses(ASSETS).filter((status) => status === 403)).toEqual([]);
  });

  test('another member replaces a revoked login, and the corporation is blocked with the reason when none is left', async () => {
    await logIn(engine, ANNA);
    await logIn(engine, CARA);
    await assign('ASSETS', { corporation: CORPORATION });
    await collect();
    engine.sim.sso.revoke(ANNA);
    await later();
    expect(await collect()).toMatchObject({ outcome: expect.stringMatching(/published|unchanged/) });
    engine.sim.sso.revoke(CARA);
    await later();
    const requests = () => engine.sim.requests().length;
    for (let n = 0; n < 2; n++) {
      expect(await collect()).toMatchObject({ outcome: 'blocked' });
      await later();
    }
    expect(await noteOf()).toMatch(/Anna Testa.*Cara Deputy/s);
    const requestCount = requests();
    await engine.db.pool.query('UPDATE collector_assignments SET next_collection_at = NULL');
    expect(await takeDueRuns(engine.context)).toEqual([]);
    expect(await collect()).toMatchObject({ outcome: 'blocked' });
    expect(requests()).toBe(requestCount);
  });

  test('the data of the new corporation is collected after a character moves', async () => {
    await logIn(engine, ANNA);
    await assign('ASSETS', { corporation: CORPORATION });
    await collect();
    engine.sim.owners.move(ANNA, OTHER);
    engine.sim.owners.setRoles(ANNA, [...DIRECTOR_ROLES]);
    await later();
    expect(await refreshAffiliations(engine.context, {})).toBe(1);
    expect(await engine.db.rows('SELECT corporation_id FROM characters')).toEqual([
      { corporation_id: OTHER },
    ]);
    expect(
      await engine.db.rows(`SELECT name <> '' AS named FROM corporations WHERE corporation_id = ${OTHER}`),
    ).toEqual([{ named: true }]);
    expect(await collect()).toMatchObject({
      outcome: 'blocked',
      detail: expect.stringContaining('No member'),
    });
    expect(await takeDueRuns(engine.context)).toEqual([
      { collector: 'assets', target: corporationTarget(OTHER) },
    ]);
    expect(await collect('assets', corporationTarget(OTHER))).toMatchObject({ outcome: 'published' });
  });
});

describe('access through a login', () => {
  const WALLET = characterTarget(ANNA);
  const token = async () =>
    (
      await engine.db.rows<{
        is_active: boolean;
        inactive_reason: string | null;
        access_token: string;
        refresh_token: string;
      }>('SELECT * FROM esi_tokens WHERE character_id = $1', [ANNA])
    )[0]!;
  const refreshes = () => engine.sim.sso.requests().refresh_token;

  test('a login is refreshed once before it expires, however many runs need it', async () => {
    await logIn(engine, ANNA);
    engine.clock.advance(20 * 60_000);
    const others = engine.restart();
    const { collectTarget } = await import('../../../src/engine/run/collect-target.ts');
    await Promise.all([
      collect('wallet', WALLET),
      collect('orders', WALLET),
      collectTarget(others, { collector: 'industry', target: WALLET }),
      collectTarget(others, { collector: 'assets', target: WALLET }),
    ]);
    expect(refreshes()).toBe(1);
    expect(engine.sim.offences()).toEqual([]);
    const { access_token, refresh_token } = await token();
    expect(engine.context.cipher.isEncrypted(access_token)).toBe(true);
    expect(engine.context.cipher.isEncrypted(refresh_token)).toBe(true);
  });

  test('a login that ESI refuses is refreshed once, and the request is repeated', async () => {
    await logIn(engine, ANNA);
    engine.sim.sso.expire(ANNA);
    expect(await collect('industry', WALLET)).toMatchObject({ outcome: 'published' });
    expect(refreshes()).toBe(1);
  });

  test('a login whose row was damaged is refreshed if possible, otherwise disabled', async () => {
    await logIn(engine, ANNA);
    await encryptTokens(engine.context);
    const damage = (column: string) =>
      engine.db.pool.query(`UPDATE esi_tokens SET ${column} = overlay(${column} placing 'AAAA' from 40)`);
    await damage('access_token');
    expect(await collect('industry', WALLET)).toMatchObject({ outcome: 'published' });
    expect(refreshes()).toBe(1);
    await damage('refresh_token');
    engine.clock.advance(HOUR);
    expect(await collect('industry', WALLET)).toMatchObject({
      outcome: 'blocked',
      detail: expect.stringMatching(/was changed.*log the character in again/is),
    });
    expect([refreshes(), (await token()).is_active]).toEqual([1, false]);
  });

  test('a login survives a lost answer to a refresh when tokens rotate leniently', async () => {
    await logIn(engine, ANNA);
    engine.clock.advance(20 * 60_000);
    engine.sim.faults.loseAnswer({ route: '/sso/v2/oauth/token', times: 1 });
    await expect(collect('industry', WALLET)).rejects.toMatchObject({ verdict: 'retry' });
    expect(await collect('industry', WALLET)).toMatchObject({ outcome: 'published' });
    expect(await token()).toMatchObject({ is_active: true });
  });

  test('a login keeps its new refresh token when the SSO’s keys are unavailable', async () => {
    engine.sim.sso.setRotation('strict');
    await logIn(engine, ANNA);
    engine.clock.advance(20 * 60_000);
    engine.sim.faults.status(503, { route: '/sso/oauth/jwks', times: 3 });
    await expect(collect('industry', WALLET)).rejects.toMatchObject({ verdict: 'retry' });
    engine.sim.faults.clear();
    expect(await collect('industry', WALLET)).toMatchObject({ outcome: 'published' });
  });

  test('a revoked login is disabled with the reason, and not used again', async () => {
    await logIn(engine, ANNA);
    await assign('WALLET', { character: ANNA });
    engine.sim.sso.revoke(ANNA);
    engine.clock.advance(20 * 60_000);
    expect(await collect('wallet', WALLET)).toMatchObject({
      outcome: 'blocked',
      detail: expect.stringContaining('tried again after 15 minutes'),
    });
    engine.clock.advance(14 * 60_000);
    expect(await collect('wallet', WALLET)).toMatchObject({ outcome: 'blocked' });
    expect([refreshes(), (await token()).is_active]).toEqual([1, true]);
    engine.clock.advance(60_000);
    expect(await collect('wallet', WALLET)).toMatchObject({ outcome: 'blocked' });
    const { is_active, inactive_reason } = await token();
    expect(is_active).toBe(false);
    expect(inactive_reason).toMatch(/Log the character in again/);
    expect(await noteOf('WALLET')).toContain(inactive_reason);
    const before = [refreshes(), engine.sim.requests().length];
    expect(await collect('wallet', WALLET)).toMatchObject({ outcome: 'blocked' });
    await engine.db.pool.query('UPDATE collector_assignments SET next_collection_at = NULL');
    expect(await takeDueRuns(engine.context)).toEqual([]);
    expect([refreshes(), engine.sim.requests().length]).toEqual(before);
  });

  test('the login of a transferred character is disabled', async () => {
    await logIn(engine, ANNA);
    engine.sim.sso.transfer(ANNA);
    engine.clock.advance(20 * 60_000);
    expect(await collect('wallet', WALLET)).toMatchObject({
      outcome: 'blocked',
      detail: expect.stringContaining('was transferred to another account'),
    });
    expect(await token()).toMatchObject({ is_active: false });
  });

  test('a login stays enabled while the SSO is unavailable', async () => {
    await logIn(engine, ANNA);
    engine.clock.advance(20 * 60_000);
    engine.sim.faults.status(502, { route: '/sso/v2/oauth/token', times: 1 });
    await expect(collect('wallet', WALLET)).rejects.toMatchObject({ verdict: 'retry' });
    expect(await token()).toMatchObject({ is_active: true });
    expect(await collect('wallet', WALLET)).toMatchObject({ outcome: 'published' });
  });

  test('a login with fewer scopes is used for these scopes', async () => {
    await logIn(engine, ANNA, ['esi-wallet.read_character_wallet.v1']);
    expect(await collect('wallet', WALLET)).toMatchObject({ outcome: 'published' });
    const requests = engine.sim.requests().length;
    expect(await collect('assets', WALLET)).toMatchObject({
      outcome: 'blocked',
      detail: expect.stringContaining('has not granted the scope esi-assets.read_assets.v1'),
    });
    expect(engine.sim.requests()).toHaveLength(requests);
  });

  test('a target without a login is blocked, with the scope that it needs', async () => {
    expect(await collect('assets', WALLET)).toMatchObject({
      outcome: 'blocked',
      detail: `Character ${ANNA} is not logged in. Required: the scope esi-assets.read_assets.v1.`,
    });
  });
});
