import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Hono } from 'hono';
import { createAssignment } from '../../src/engine/owners/assignment-service.ts';
import { createOwnerService } from '../../src/engine/owners/owner-service.ts';
import { checkTarget } from '../../src/engine/list-targets.ts';
import { findCollector } from '../../src/collectors/index.ts';
import { rejectInput } from '../../src/http/problem.ts';
import { listRuns } from '../../src/store/sets/run-list.ts';
import { type TestOwners, testOwners } from '../engine/owners/test-owners.ts';
import { recordingLog, testApp } from './support.ts';

const ME = 90000001;
const CORPORATION = 98000001;
const SECRETS = ['a-refresh-token-in-plaintext', 'an-access-token-in-plaintext', 'the-owner-hash'];

let owners: TestOwners;
let app: ReturnType<typeof testApp>;
const { errors: logged, log } = recordingLog();

beforeAll(async () => {
  owners = await testOwners();
  await owners.addCharacter(ME, 'Some Pilot');
  await owners.db.rows(`INSERT INTO corporations (corporation_id, name) VALUES ($1, 'Some Corporation')`, [
    CORPORATION,
  ]);
  app = testApp({
    owners: createOwnerService(owners.context),
    log,
    runs: {
      list: (query) => listRuns(owners.db.pool, query),
      async start(collector, target) {
        checkTarget(findCollector(collector), target ?? '');
        return { workflowId: target === undefined ? collector : `${collector}/${target}` };
      },
    },
  });
});
afterAll(() => owners.close());

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

async function send(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
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

/** Sends a request that must fail; checks that the response is RFC 9457 problem details, and gives them. */
async function problemFor(method: string, path: string, body?: unknown, headers?: Record<string, string>) {
  const answer = await send(method, path, body, headers);
  expect(answer.type).toBe('application/problem+json');
  const problem = answer.body as Record<string, unknown>;
  expect(problem).toMatchObject({ type: 'about:blank', status: answer.status });
  expect(problem['title']).toMatch(/^[A-Z]/);
  expect(problem['detail']).toMatch(/^\S.+ .*\.$/);
  return problem;
}

describe('assignments', () => {
  test('assignments are created, listed, changed and deleted', async () => {
    const created = await send('POST', '/api/assignments', {
      collector: 'wallet',
      target: `character/${ME}`,
    });
    expect(created).toMatchObject({ status: 201, body: { owner: 'Some Pilot', isEnabled: true } });
    const { id } = created.body as { id: number };
    const change = { isEnabled: false, intervalMinutes: 45 };
    expect(await send('PATCH', `/api/assignments/${id}`, change)).toMatchObject({
      status: 200,
      body: { id, ...change },
    });
    const listed = await send('GET', '/api/assignments');
    expect(listed).toMatchObject({ status: 200, body: [{ id, ...change }] });
    expect(await send('DELETE', `/api/assignments/${id}`)).toMatchObject({ status: 204, body: '' });
    expect((await send('GET', '/api/assignments')).body).toEqual([]);
    expect(await problemFor('DELETE', `/api/assignments/${id}`)).toMatchObject({
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
  ])('POST /api/assignments with %j fails with %i %s', async (body, status, code, pointer) => {
    const problem = await problemFor('POST', '/api/assignments', body);
    const errors = problem['errors'] as { pointer: string }[] | undefined;
    expect([problem['status'], problem['code'], errors?.[0]?.pointer]).toEqual([status, code, pointer]);
  });

  test('problem details point at what is wrong by RFC 6901', async () => {
    const issues = [{ path: ['a/b~c', 0], message: 'not valid' }];
    const rejecting = new Hono().get('/', (c) => rejectInput(c, 'json', issues));
    expect(await (await rejecting.request('/')).json()).toMatchObject({
      errors: [{ pointer: '#/a~1b~0c/0' }],
    });
  });

  test('a second assignment of the same collector and owner fails with 409', async () => {
    const wanted = { collector: 'assets', target: `corporation/${CORPORATION}` };
    await createAssignment(owners.context, wanted);
    expect(await problemFor('POST', '/api/assignments', wanted)).toMatchObject({
      status: 409,
      code: 'ASSIGNMENT_EXISTS',
    });
  });

  test('PATCH /api/assignments needs an existing id and a change', async () => {
    expect(await problemFor('PATCH', '/api/assignments/999', { isEnabled: true })).toMatchObject({
      status: 404,
    });
    expect(await problemFor('PATCH', '/api/assignments/999', {})).toMatchObject({ status: 422 });
    for (const id of ['x', '0', '-1', '1e3', '99999999999999999999'])
      expect(await problemFor('PATCH', `/api/assignments/${id}`, { isEnabled: true })).toMatchObject({
        status: 422,
      });
  });
});

describe('tokens', () => {
  test('logins are listed, enabled, disabled and deleted, without their tokens', async () => {
    const id = await owners.addToken(ME, {
      refresh_token: SECRETS[0],
      access_token: SECRETS[1],
      owner_hash: SECRETS[2],
      scopes: 'esi-a.read.v1',
    });
    expect(await send('GET', '/api/tokens')).toMatchObject({
      status: 200,
      body: [{ id, characterId: ME, name: 'Some Pilot', scopes: ['esi-a.read.v1'], isActive: true }],
    });
    const isActive = async () => (await owners.token(id))['is_active'];
    expect((await send('PUT', `/api/tokens/${id}/enable`, { enabled: false })).status).toBe(204);
    expect(await isActive()).toBe(false);
    expect((await send('PUT', `/api/tokens/${id}/enable`)).status).toBe(204);
    expect(await isActive()).toBe(true);
    expect((await send('PUT', `/api/tokens/${id}/enable`, {})).status).toBe(204);
    expect(await problemFor('PUT', `/api/tokens/${id}/enable`, { enabled: 'no' })).toMatchObject({
      status: 422,
    });
    await owners.db.rows(`UPDATE esi_tokens SET refresh_token = 'not a token at all' WHERE id = $1`, [id]);
    expect(await problemFor('PUT', `/api/tokens/${id}/enable`)).toMatchObject({
      status: 409,
      code: 'TOKEN_UNUSABLE',
    });
    expect((await send('DELETE', `/api/tokens/${id}`)).status).toBe(204);
    expect(await problemFor('DELETE', `/api/tokens/${id}`)).toMatchObject({
      status: 404,
      code: 'UNKNOWN_TOKEN',
    });
    expect((await send('GET', '/api/tokens')).body).toEqual([]);
  });

  test('a login without an SSO application fails and says what to set', async () => {
    for (const [method, path] of [
      ['POST', '/api/tokens/register'],
      ['GET', '/api/tokens/callback?state=x&code=y'],
    ] as const) {
      const problem = await problemFor(method, path, undefined, { accept: 'application/json' });
      expect(problem).toMatchObject({ status: 409, code: 'NO_APPLICATION' });
      expect(problem['detail']).toMatch(/ESI_CLIENT_ID/);
    }
  });
});

describe('runs', () => {
  test('runs are listed newest first, filtered by collector and target', async () => {
    await owners.db.rows(
      `INSERT INTO collection_runs (collector, target, resource, started_at, finished_at, outcome, rows_read)
       VALUES ('wallet', 'character/1', 'journal', '2026-11-20T14:00Z', '2026-11-20T14:01Z', 'published', 7),
              ('assets', 'character/1', '', '2026-11-20T14:05Z', NULL, NULL, 0),
              ('wallet', 'character/2', 'balance', '2026-11-20T14:06Z', '2026-11-20T14:07Z', 'failed', 0)`,
    );
    const all = (await send('GET', '/api/runs')).body as Record<string, unknown>[];
    expect(all.map((run) => run['target'])).toEqual(['character/2', 'character/1', 'character/1']);
    expect(all[2]).toMatchObject({
      collector: 'wallet',
      resource: 'journal',
      outcome: 'published',
      rowsRead: 7,
    });
    expect((await send('GET', '/api/runs?collector=wallet&target=character/1')).body).toHaveLength(1);
    expect((await send('GET', '/api/runs?limit=2')).body).toHaveLength(2);
    for (const limit of ['0', '1001', 'x', '-1'])
      expect(await problemFor('GET', `/api/runs?limit=${limit}`)).toMatchObject({ status: 422 });
    for (const query of ['collector=%00', 'target=character/1%00'])
      expect(await problemFor('GET', `/api/runs?${query}`)).toMatchObject({ status: 422, code: 'BAD_INPUT' });
  });

  test('POST /api/runs starts a run', async () => {
    expect(
      await send('POST', '/api/runs', { collector: 'market-orders', target: 'region/10000002' }),
    ).toMatchObject({
      status: 202,
      body: { workflowId: 'market-orders/region/10000002' },
    });
    expect(await problemFor('POST', '/api/runs', { collector: 'moon-dust' })).toMatchObject({ status: 422 });
    expect(
      await problemFor('POST', '/api/runs', { collector: 'market-prices', target: 'region/1' }),
    ).toMatchObject({
      code: 'BAD_TARGET',
    });
  });
});

test('unknown paths, large bodies and other content types give problem details', async () => {
  expect(await problemFor('GET', '/api/nothing')).toMatchObject({ status: 404, title: 'Not Found' });
  expect(await problemFor('GET', '/%00<script>')).toMatchObject({ status: 404 });
  expect(await problemFor('POST', '/api/assignments', `"${'x'.repeat(70_000)}"`)).toMatchObject({
    status: 413,
  });
  const text = { 'content-type': 'text/plain' };
  expect(await problemFor('POST', '/api/assignments', 'collector=wallet', text)).toMatchObject({
    status: 415,
  });
});

test('an internal error is logged and not shown', async () => {
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
