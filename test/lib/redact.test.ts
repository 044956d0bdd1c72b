import { expect, test } from '@jest/globals';
import { redactSecrets } from '../../src/lib/redact.ts';
import { JWT } from '../sso/support.ts';

const SEALED = 'v1.0a1b2c3d.QUFBQUFBQUFBQUFB.c2VjcmV0.MDEyMzQ1Njc4OWFiY2RlZg';

test('tokens are masked anywhere in a text', () => {
  const cases: Readonly<Record<string, string>> = {
    [`sent ${JWT}, and (${JWT})`]: 'sent [hidden], and ([hidden])',
    [`cut: ${JWT.slice(0, 30)}`]: 'cut: [hidden]',
    'Authorization: Bearer abc.DEF-123~+/=': 'Authorization: Bearer [hidden]',
    'authorization: basic Y2xpZW50OnNlY3JldA==': 'authorization: basic [hidden]',
    [`row "${SEALED}" is bad`]: 'row "[hidden]" is bad',
    'grant_type=refresh_token&refresh_token=jX+b%3D&x=1':
      'grant_type=refresh_token&refresh_token=[hidden]&x=1',
    '{"access_token":"abc","expires_in":1199}': '{"access_token":"[hidden]","expires_in":1199}',
    '{"line":"{\\"refresh_token\\":\\"abc\\"}"}': '{"line":"{\\"refresh_token\\":\\"[hidden]\\"}"}',
    'no answer from postgres://eve:p4ss%20w@db:5432/eve':
      'no answer from postgres://eve:[hidden]@db:5432/eve',
    'postgres://eve:p@ss@db/eve': 'postgres://eve:[hidden]@db/eve',
    'https://me@example.com:pass@proxy:3128': 'https://me@example.com:[hidden]@proxy:3128',
    'GET /callback?code=Zm9v&state=YmFy HTTP/1.1': 'GET /callback?code=[hidden]&state=[hidden] HTTP/1.1',
  };
  for (const [text, clean] of Object.entries(cases)) expect(redactSecrets(text)).toBe(clean);
});

test('text without secrets is unchanged', () => {
  const texts = [
    'The EVE SSO could not be reached: connect ECONNREFUSED 127.0.0.1:443',
    '{"code":"SSO_TROUBLE","state":"open","v1.2":"version v1.2.3"}',
    'https://esi.evetech.net:443/status, and https://github.com/a@b',
    '{"url":"http://localhost:8080","agent":"me@example.com"}',
    'basic authentication, character/90000001/refresh_token, /markets/10000002/orders?page=2',
  ];
  for (const text of texts) expect(redactSecrets(text)).toBe(text);
});
