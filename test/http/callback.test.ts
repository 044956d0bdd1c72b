import { describe, expect, test } from '@jest/globals';
import type { LoginReport } from '../../src/engine/owners/login-flow.ts';
import { AppError } from '../../src/lib/errors.ts';
import { NO_OWNERS, recordingLog, testApp } from './support.ts';

const ME = 90000001;
const { errors: logged, log } = recordingLog();

describe('the login callback', () => {
  const report: LoginReport = {
    characterId: ME,
    name: 'Some <i>Pilot</i>',
    granted: [],
    missing: [],
    enabled: [],
    renewed: false,
    message: 'Some <i>Pilot</i> is logged in.',
  };
  const seen: unknown[] = [];
  const finishing = testApp({
    owners: {
      ...NO_OWNERS,
      async finishLogin(callback) {
        seen.push(callback);
        if (callback.code === 'later')
          throw new AppError('EVE does not respond.', { code: 'SSO_UNREACHABLE', verdict: 'retry' });
        if (callback.code === 'bug') throw new Error(`it holds ${callback.code}`);
        if (callback.error)
          throw new AppError('It was cancelled.', { code: 'LOGIN_DENIED', verdict: 'fail' });
        return report;
      },
    },
    log,
  });
  const visit = (path: string, accept = 'text/html,*/*') => finishing.request(path, { headers: { accept } });

  test('the callback responds with a page, under both paths, or with JSON', async () => {
    for (const path of ['/callback', '/api/tokens/callback']) {
      const page = await visit(`${path}?state=s&code=c`);
      expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8']);
      expect(await page.text()).toContain('Some &lt;i&gt;Pilot&lt;/i&gt; is logged in.');
      expect(seen.pop()).toEqual({ state: 's', code: 'c' });
      const answer = await visit(`${path}?state=s&code=c`, 'application/json');
      expect(await answer.json()).toEqual(report);
    }
  });

  test('the callback is served under the path of ESI_CALLBACK_URL', async () => {
    const login = { callbackUrl: 'http://localhost:8080/~me/back-1_x.y/', isSet: true };
    const app = testApp({ login, owners: { ...NO_OWNERS, finishLogin: async () => report } });
    expect((await app.request('/~me/back-1_x.y/?state=s&code=c')).status).toBe(200);
  });

  test('the callback says what went wrong, and when to try again', async () => {
    const denied = await visit('/callback?state=s&error=access_denied&error_description=x');
    expect([denied.status, await denied.text()]).toEqual([400, expect.stringContaining('It was cancelled.')]);
    const later = await visit('/callback?state=s&code=later');
    expect([later.status, await later.text()]).toEqual([
      503,
      expect.stringContaining('Load this page again'),
    ]);
    const json = await visit('/callback?state=s&error=access_denied', 'application/json');
    expect(await json.json()).toMatchObject({ status: 400, code: 'LOGIN_DENIED' });
    for (const query of ['state=a&state=b&code=c', `state=${'x'.repeat(2_000)}&code=c`]) {
      const odd = await visit(`/callback?${query}`);
      expect([odd.status, await odd.text()]).toEqual([
        400,
        expect.stringContaining('is not the callback of a login'),
      ]);
    }
  });

  test('the callback does not complete a login on HEAD', async () => {
    seen.length = 0;
    for (const path of ['/callback?state=s&code=c', '/api/tokens/callback?state=s&state=t']) {
      const response = await finishing.request(path, { method: 'HEAD' });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET']);
      expect(response.headers.get('referrer-policy')).toBe('no-referrer');
    }
    expect(seen).toEqual([]);
  });

  test('the callback logs neither code nor state', async () => {
    logged.length = 0;
    const answer = await visit('/callback?state=sesame&code=bug');
    expect([answer.status, (await answer.text()).includes('it holds')]).toEqual([500, false]);
    expect(logged).toHaveLength(1);
    expect(JSON.stringify(logged)).not.toContain('sesame');
  });
});
