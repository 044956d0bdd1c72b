import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Hono } from 'hono';
import { createAssignment } from '../../src/engine/owners/assignment-service.ts';
import { createOwnerService } from '../../src/engine/owners/owner-service.ts';
import { checkTarget } from '../../src/engine/list-targets.ts';
import { findCollector } from '../../src/collectors/index.ts';
import { silentLog } from '../../src/lib/log.ts';
import { refuseInput } from '../../src/http/problem.ts';
import { listRuns } from '../../src/store/sets/run-list.ts';
import { type TestOwners, testOwners } from '../engine/owners/support.ts';
import { testApp } from './support.ts';

const ME = 90000001;
const CORPORATION = 98000001;
const SECRETS = ['a-refresh-token-in-the-clear', 'an-access-token-in-the-clear', 'the-owner-hash'];

let desk: TestOwners;
let app: ReturnType<typeof testApp>;
const logged: unknown[] = [];
const log = {
  ...silentLog,
  error: (fields: object, message: string) => void logged.push({ ...fields, message }),
};

beforeAll(async () => {
  desk = await testOwners();
  await desk.addCharacter(ME, 'Some Pilot');
  await desk.db.rows(`INSERT INTO corporations (corporation_id, name) VALUES ($1, 'Some Corporation')`, [
    CORPORATION,
  ]);
  app = testApp({
    desk: createOwnerService(desk.context),
    log,
    runs: {
      list: (query) => listRuns(desk.db.pool, query),
      async start(collector, target) {
        checkTarget(findCollector(collector), target ?? '');
        return { workflowId: target === undefined ? collector : `${collector}/${target}` };
      },
    },
  });
});
afterAll(() => desk.close());

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await app.request(path, {
    method,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
  });
  const text = await answer.text();
  for (const secret of SECRETS) expect(text).not.toContain(secret);
  const type = answer.headers.get('content-type') ?? '';
  return { status: answer.status, type, body: /json/.test(type) ? (JSON.parse(text) as unknown) : text };
}

/** A refusal has the form of RFC 9457 and says in words what is wrong. */
async function refusal(method: string, path: string, body?: unknown, headers?: Record<string, string>) {
  const answer = await ask(method, path, body, headers);
  expect(answer.type).toBe('application/problem+json');
  const problem = answer.body as Record<string, unknown>;
  expect(problem).toMatchObject({ type: 'about:blank', status: answer.status });
  expect(problem['title']).toMatch(/^[A-Z]/);
  expect(problem['detail']).toMatch(/^\S.+ .*\.$/);
  return problem;
}

describe('assignments', () => {
  test('are made, listed, changed and ended', async () => {
    const made = await ask('POST', '/api/assignments', { collector: 'wallet', target: `character/${ME}` });
    expect(made).toMatchObject({ status: 201, body: { owner: 'Some Pilot', isEnabled: true } });
    const { id } = made.body as { id: number };
    const change = { isEnabled: false, intervalMinutes: 45 };
    expect(await ask('PATCH', `/api/assignments/${id}`, change)).toMatchObject({
      status: 200,
      body: { id, ...change },
    });
    const listed = await ask('GET', '/api/assignments');
    expect(listed).toMatchObject({ status: 200, body: [{ id, ...change }] });
    expect(await ask('DELETE', `/api/assignments/${id}`)).toMatchObject({ status: 204, body: '' });
    expect((await ask('GET', '/api/assignments')).body).toEqual([]);
    expect(await refusal('DELETE', `/api/assignments/${id}`)).toMatchObject({
      status: 404,
      code: 'UNKNOWN_ASSIGNMENT',
    });
  });

  const pilot = `character/${ME}`;
  test.each([
    [{ collector: 'wallet', target: 'character/90000009' }, 404, 'UNKNOWN_OWNER', undefined],
    [{ collector: 'moon-dust', target: pilot }, 422, 'UNKNOWN_COLLECTOR', undefined],
    [{ collector: 'wallet', target: 'Jita' }, 422, 'BAD_TARGET', undefined],
    [{ collector: 'wallet', target: pilot, intervalMinutes: 0 }, 422, 'BAD_INTERVAL', undefined],
    [{ collector: 'wallet', target: pilot, intervalMinutes: '5' }, 422, 'BAD_INPUT', '#/intervalMinutes'],
    [{ collector: 'wallet', target: pilot, intervalMinutes: 1.5 }, 422, 'BAD_INPUT', '#/intervalMinutes'],
    [{ collector: 'wallet' }, 422, 'BAD_INPUT', '#/target'],
    [{ collector: 'wallet', target: pilot, enabled: true }, 422, 'BAD_INPUT', '#'],
    [[], 422, 'BAD_INPUT', '#'],
    ['null', 422, 'BAD_INPUT', '#'],
    ['{"collector":', 400, undefined, undefined],
    ['', 400, undefined, undefined],
  ])('%j is refused with %i %s', async (body, status, code, pointer) => {
    const problem = await refusal('POST', '/api/assignments', body);
    const errors = problem['errors'] as { pointer: string }[] | undefined;
    expect([problem['status'], problem['code'], errors?.[0]?.pointer]).toEqual([status, code, pointer]);
  });

  test('what is wrong is pointed at as RFC 6901 has it', async () => {
    const issues = [{ path: ['a/b~c', 0], message: 'odd' }];
    const odd = new Hono().get('/', (c) => refuseInput(c, 'json', issues));
    expect(await (await odd.request('/')).json()).toMatchObject({ errors: [{ pointer: '#/a~1b~0c/0' }] });
  });

  test('there is one per collector and owner', async () => {
    const wanted = { collector: 'assets', target: `corporation/${CORPORATION}` };
    await createAssignment(desk.context, wanted);
    expect(await refusal('POST', '/api/assignments', wanted)).toMatchObject({
      status: 409,
      code: 'ASSIGNMENT_EXISTS',
    });
  });

  test('a change says what, of which', async () => {
    expect(await refusal('PATCH', '/api/assignments/999', { isEnabled: true })).toMatchObject({
      status: 404,
    });
    expect(await refusal('PATCH', '/api/assignments/999', {})).toMatchObject({ status: 422 });
    for (const id of ['x', '0', '-1', '1e3', '99999999999999999999'])
      expect(await refusal('PATCH', `/api/assignments/${id}`, { isEnabled: true })).toMatchObject({
        status: 422,
      });
  });
});

describe('tokens', () => {
  test('are listed, switched and deleted, and never shown', async () => {
    const id = await desk.addToken(ME, {
      refresh_token: SECRETS[0],
      access_token: SECRETS[1],
      owner_hash: SECRETS[2],
      scopes: 'esi-a.read.v1',
    });
    expect(await ask('GET', '/api/tokens')).toMatchObject({
      status: 200,
      body: [{ id, characterId: ME, name: 'Some Pilot', scopes: ['esi-a.read.v1'], isActive: true }],
    });
    const isActive = async () => (await desk.token(id))['is_active'];
    expect((await ask('PUT', `/api/tokens/${id}/enable`, { enabled: false })).status).toBe(204);
    expect(await isActive()).toBe(false);
    expect((await ask('PUT', `/api/tokens/${id}/enable`)).status).toBe(204);
    expect(await isActive()).toBe(true);
    expect((await ask('PUT', `/api/tokens/${id}/enable`, {})).status).toBe(204);
    expect(await refusal('PUT', `/api/tokens/${id}/enable`, { enabled: 'no' })).toMatchObject({
      status: 422,
    });
    await desk.db.rows(`UPDATE esi_tokens SET refresh_token = 'not a token at all' WHERE id = $1`, [id]);
    expect(await refusal('PUT', `/api/tokens/${id}/enable`)).toMatchObject({
      status: 409,
      code: 'TOKEN_UNUSABLE',
    });
    expect((await ask('DELETE', `/api/tokens/${id}`)).status).toBe(204);
    expect(await refusal('DELETE', `/api/tokens/${id}`)).toMatchObject({
      status: 404,
      code: 'UNKNOWN_TOKEN',
    });
    expect((await ask('GET', '/api/tokens')).body).toEqual([]);
  });

  test('without an application there is no login, and the answer says how to get one', async () => {
    for (const [method, path] of [
      ['POST', '/api/tokens/register'],
      ['GET', '/api/tokens/callback?state=x&code=y'],
    ] as const) {
      const problem = await refusal(method, path, undefined, { accept: 'application/json' });
      expect(problem).toMatchObject({ status: 409, code: 'NO_APPLICATION' });
      expect(problem['detail']).toMatch(/ESI_CLIENT_ID/);
    }
  });
});

describe('runs', () => {
  test('are listed newest first, of a collector or a target', async () => {
    await desk.db.rows(
      `INSERT INTO collection_runs (collector, target, resource, started_at, finished_at, outcome, rows_read)
       VALUES ('wallet', 'character/1', 'journal', '2026-11-20T14:00Z', '2026-11-20T14:01Z', 'published', 7),
              ('assets', 'character/1', '', '2026-11-20T14:05Z', NULL, NULL, 0),
              ('wallet', 'character/2', 'balance', '2026-11-20T14:06Z', '2026-11-20T14:07Z', 'failed', 0)`,
    );
    const all = (await ask('GET', '/api/runs')).body as Record<string, unknown>[];
    expect(all.map((run) => run['target'])).toEqual(['character/2', 'character/1', 'character/1']);
    expect(all[2]).toMatchObject({
      collector: 'wallet',
      resource: 'journal',
      outcome: 'published',
      rowsRead: 7,
    });
    expect((await ask('GET', '/api/runs?collector=wallet&target=character/1')).body).toHaveLength(1);
    expect((await ask('GET', '/api/runs?limit=2')).body).toHaveLength(2);
    for (const limit of ['0', '1001', 'x', '-1'])
      expect(await refusal('GET', `/api/runs?limit=${limit}`)).toMatchObject({ status: 422 });
    for (const query of ['collector=%00', 'target=character/1%00'])
      expect(await refusal('GET', `/api/runs?${query}`)).toMatchObject({ status: 422, code: 'BAD_INPUT' });
  });

  test('are started', async () => {
    expect(
      await ask('POST', '/api/runs', { collector: 'market-orders', target: 'region/10000002' }),
    ).toMatchObject({
      status: 202,
      body: { workflowId: 'market-orders/region/10000002' },
    });
    expect(await refusal('POST', '/api/runs', { collector: 'moon-dust' })).toMatchObject({ status: 422 });
    expect(
      await refusal('POST', '/api/runs', { collector: 'market-prices', target: 'region/1' }),
    ).toMatchObject({
      code: 'BAD_TARGET',
    });
  });
});

test('what is not there, too large, or no JSON is a problem like any other', async () => {
  expect(await refusal('GET', '/api/nothing')).toMatchObject({ status: 404, title: 'Not Found' });
  expect(await refusal('GET', '/%00<script>')).toMatchObject({ status: 404 });
  expect(await refusal('POST', '/api/assignments', `"${'x'.repeat(70_000)}"`)).toMatchObject({ status: 413 });
  const text = { 'content-type': 'text/plain' };
  expect(await refusal('POST', '/api/assignments', 'collector=wallet', text)).toMatchObject({ status: 415 });
});

test('trouble of our own is told to the log, not to whoever asks', async () => {
  logged.length = 0;
  const broken = testApp({
    status: () => Promise.reject(new Error('column "x" of postgres://me:pw@host')),
    log,
  });
  const answer = await broken.request('/api/status');
  expect([answer.status, answer.headers.get('content-type')]).toEqual([500, 'application/problem+json']);
  expect(await answer.text()).not.toContain('postgres');
  expect(logged).toMatchObject([{ path: '/api/status' }]);
});
