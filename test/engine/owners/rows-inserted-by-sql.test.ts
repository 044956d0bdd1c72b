import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { collectTarget } from '../../../src/engine/run/collect-target.ts';
import {
  assignmentOf,
  createAssignment,
  listAssignments,
} from '../../../src/engine/owners/assignment-service.ts';
import { refreshAffiliations } from '../../../src/engine/owners/refresh-affiliations.ts';
import { takeDueRuns } from '../../../src/engine/owners/due-runs.ts';
import {
  deleteToken,
  enableToken,
  listTokens,
  encryptTokens,
} from '../../../src/engine/owners/token-service.ts';
import { OWNER_SCOPES } from '../../../simulator/owners/owner-scopes.ts';
import type { SsoClient } from '../../../src/sso/sso-client.ts';
import { type TestEngine, testEngine } from '../../support/test-engine.ts';
import {
  ANNA,
  advanceOneHour,
  BRAM,
  CORPORATION,
  logIn,
  characterTarget,
  corporationTarget,
} from '../../support/owner-engine.ts';

/** Rows that people insert into the tables of owners by SQL, and what the product does with them within a minute. */
let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine();
  await engine.collect('universe');
});
afterEach(() => engine.close());

const ME = characterTarget(ANNA);
const CORP = corporationTarget(CORPORATION);
const sql = (text: string, values: unknown[] = []) => engine.db.pool.query(text, values);
const token = async () =>
  (await engine.db.rows<{ id: number; is_active: boolean }>('SELECT * FROM esi_tokens'))[0]!;
const names = async () =>
  (await engine.db.rows<{ name: string }>('SELECT name FROM characters')).map(({ name }) => name);
const notes = async () => (await listAssignments(engine.context)).map(({ note }) => note);

/** Inserts a login with a refresh token only. */
async function insertRefreshToken(): Promise<void> {
  const { refreshToken } = await engine.sim.sso.issue(ANNA, OWNER_SCOPES);
  await sql('INSERT INTO characters (character_id) VALUES ($1)', [ANNA]);
  await sql('INSERT INTO esi_tokens (character_id, refresh_token) VALUES ($1, $2)', [ANNA, refreshToken]);
}

describe('a login inserted with a refresh token only', () => {
  test('a login inserted with a refresh token only is refreshed and collects', async () => {
    await insertRefreshToken();
    await encryptTokens(engine.context);
    expect(await engine.collect('assets', ME)).toMatchObject({ outcome: 'published' });
    expect(engine.sim.sso.requests().refresh_token).toBe(1);
  });

  test('an inserted login gets the name of its character with its first refresh', async () => {
    await insertRefreshToken();
    await engine.collect('wallet', ME);
    expect(await names()).toEqual([engine.sim.owners.character(ANNA).name]);
  });

  test('an inserted login that nothing uses yet gets its name and corporation from ESI', async () => {
    await insertRefreshToken();
    await refreshAffiliations(engine.context, {});
    expect(await names()).toEqual([engine.sim.owners.character(ANNA).name]);
    expect(await listTokens(engine.context)).toEqual([
      expect.objectContaining({ corporationId: CORPORATION, corporation: expect.stringMatching(/./) }),
    ]);
  });

  test('an inserted login may have an empty owner hash', async () => {
    await insertRefreshToken();
    await sql(`UPDATE esi_tokens SET owner_hash = ''`);
    expect(await engine.collect('assets', ME)).toMatchObject({ outcome: 'published' });
    expect(await token()).toMatchObject({ is_active: true });
  });
});

describe('invalid values', () => {
  test('invalid scopes of one login do not affect another', async () => {
    await logIn(engine, ANNA);
    await logIn(engine, BRAM);
    const long = Array.from({ length: 9_000 }, (_, n) => (n * 7_919).toString(36)).join('');
    await sql('UPDATE esi_tokens SET scopes = $2 WHERE character_id = $1', [BRAM, `good.scope.v1,${long}`]);
    expect(await encryptTokens(engine.context)).toEqual({ encrypted: 2, unreadable: 0 });
    expect(
      await engine.db.rows(
        'SELECT scope FROM esi_token_scopes JOIN esi_tokens t ON t.id = token_id WHERE character_id = $1',
        [BRAM],
      ),
    ).toEqual([{ scope: 'good.scope.v1' }]);
  });

  test('the tables refuse ids and times out of range', async () => {
    await logIn(engine, ANNA);
    await expect(sql('INSERT INTO characters (character_id) VALUES (9007199254740993)')).rejects.toThrow(
      'characters_id_range',
    );
    await expect(sql(`UPDATE esi_tokens SET expires_at = 'infinity'`)).rejects.toThrow('times_finite');
    await sql(`INSERT INTO collector_assignments (character_id, collector_type) VALUES ($1, 'ASSETS')`, [
      ANNA,
    ]);
    await expect(sql(`UPDATE collector_assignments SET next_collection_at = 'infinity'`)).rejects.toThrow(
      'times_finite',
    );
  });
});

describe('an assignment inserted by SQL', () => {
  const add = (collector: string, target: string, intervalMinutes?: number) =>
    createAssignment(engine.context, { collector, target, ...(intervalMinutes ? { intervalMinutes } : {}) });

  test('an assignment without a login has a note until somebody logs in', async () => {
    await logIn(engine, ANNA);
    await add('assets', ME);
    await add('assets', CORP);
    await sql('DELETE FROM esi_tokens');
    expect(await takeDueRuns(engine.context)).toEqual([]);
    expect(await notes()).toEqual([
      expect.stringContaining(`Character ${ANNA} is not logged in`),
      expect.stringContaining(`No member of corporation ${CORPORATION} is logged in`),
    ]);
    await logIn(engine, ANNA);
    await enableToken(engine.context, (await token()).id, true);
    expect(await notes()).toEqual([null, null]);
    expect(await takeDueRuns(engine.context)).toHaveLength(2);
  });

  test('an assignment whose logins are all disabled notes the reason and the remedy', async () => {
    await logIn(engine, ANNA);
    await logIn(engine, BRAM);
    await add('assets', ME);
    await add('assets', CORP);
    await sql('UPDATE esi_tokens SET is_active = false');
    await sql(`UPDATE esi_tokens SET inactive_reason = 'Gone to the sea.' WHERE character_id = $1`, [BRAM]);
    expect(await takeDueRuns(engine.context)).toEqual([]);
    const [anna] = await listTokens(engine.context);
    const off = `${anna!.name}: ${anna!.reason}`;
    expect(off).toContain('"eve-collector tokens enable" enables it');
    expect(await notes()).toEqual([off, expect.stringMatching(`${off} .+: Gone to the sea\\.$`)]);
  });

  test('an assignment of an unknown collector notes the available ones', async () => {
    await logIn(engine, ANNA);
    await sql(
      `INSERT INTO collector_assignments (character_id, collector_type) VALUES ($1, 'CHARACTER_ASSETS')`,
      [ANNA],
    );
    expect(await takeDueRuns(engine.context)).toEqual([]);
    expect(await notes()).toEqual([expect.stringContaining('Available: WALLET, ASSETS')]);
  });

  test('an assignment in lower case is the same assignment', async () => {
    await logIn(engine, ANNA);
    await sql(`INSERT INTO collector_assignments (character_id, collector_type) VALUES ($1, 'assets')`, [
      ANNA,
    ]);
    await expect(add('assets', ME)).rejects.toMatchObject({ code: 'ASSIGNMENT_EXISTS' });
    expect(await assignmentOf(engine.context, 'assets', ME)).toMatchObject({ target: ME });
  });

  test('an assignment that gets a shorter interval or is enabled again is due at once', async () => {
    await logIn(engine, ANNA);
    await add('assets', ME, 10_080);
    await takeDueRuns(engine.context);
    await engine.collect('assets', ME);
    await advanceOneHour(engine);
    expect(await takeDueRuns(engine.context)).toEqual([]);
    await sql('UPDATE collector_assignments SET collection_interval_minutes = 10');
    expect(await takeDueRuns(engine.context)).toHaveLength(1);
    await engine.collect('assets', ME);
    expect(await takeDueRuns(engine.context)).toEqual([]);
    await sql('UPDATE collector_assignments SET is_enabled = false');
    expect(await takeDueRuns(engine.context)).toEqual([]);
    await sql('UPDATE collector_assignments SET is_enabled = true');
    expect(await takeDueRuns(engine.context)).toHaveLength(1);
  });
});

test('a login repaired by SQL stays disabled when it is disabled by SQL later', async () => {
  await logIn(engine, ANNA);
  await encryptTokens(engine.context);
  const { rows } = await sql('SELECT access_token, refresh_token FROM esi_tokens');
  await sql(`UPDATE esi_tokens SET access_token = NULL, refresh_token = 'rub bish'`);
  await encryptTokens(engine.context);
  expect(await token()).toMatchObject({ is_active: false });
  const [valid] = rows as { access_token: string; refresh_token: string }[];
  await sql('UPDATE esi_tokens SET is_active = true, access_token = $1, refresh_token = $2', [
    valid!.access_token,
    valid!.refresh_token,
  ]);
  await encryptTokens(engine.context);
  await sql('UPDATE esi_tokens SET is_active = false');
  await encryptTokens(engine.context);
  expect(await token()).toMatchObject({ is_active: false });
});

test('a login that is deleted during a refresh is revoked with its new refresh token', async () => {
  await logIn(engine, ANNA);
  const { id } = await token();
  await advanceOneHour(engine);
  const context = engine.restart();
  const { sso } = context;
  let deleted: Promise<unknown> = Promise.resolve();
  const refresh: SsoClient['refresh'] = async (...given) => {
    const answer = await sso!.refresh(...given);
    deleted = deleteToken(engine.context, id);
    return answer;
  };
  const delayed = { ...context, sso: { ...sso!, refresh } };
  await collectTarget(delayed, { collector: 'assets', target: ME });
  expect(await deleted).toEqual({ revoked: true });
  expect(engine.sim.sso.grants(ANNA).flatMap(({ refreshTokens }) => refreshTokens)).toEqual([]);
  expect(await engine.db.rows('SELECT FROM esi_tokens')).toEqual([]);
});

test('roles are not requested for a character without the scope for them', async () => {
  await logIn(
    engine,
    ANNA,
    OWNER_SCOPES.filter((scope) => !scope.includes('corporation_roles')),
  );
  engine.sim.resetCounters();
  expect(await engine.collect('assets', CORP)).toMatchObject({
    outcome: 'blocked',
    detail: expect.stringContaining('has not granted the scope esi-characters.read_corporation_roles.v1'),
  });
  expect(engine.sim.requests().filter(({ status }) => status === 403)).toEqual([]);
});
