import { expect, test } from '@jest/globals';
import { hidePasswordOf, hideSecret, hideToken, redactField, redactSecrets } from '../../src/lib/redact.ts';
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
    '{"refreshToken":"abc","accessToken":"def"}': '{"refreshToken":"[hidden]","accessToken":"[hidden]"}',
    'apiToken: abc, idToken=def': 'apiToken: [hidden], idToken=[hidden]',
    'postgres://db/eve?password=hunter2&sslmode=require':
      'postgres://db/eve?password=[hidden]&sslmode=require',
    '{"password":"hunter2"}': '{"password":"[hidden]"}',
    'API_TOKEN=abc METRICS_TOKEN="def"': 'API_TOKEN=[hidden] METRICS_TOKEN="[hidden]"',
    'TOKEN_ENCRYPTION_KEY=abc= ESI_CLIENT_SECRET=def':
      'TOKEN_ENCRYPTION_KEY=[hidden] ESI_CLIENT_SECRET=[hidden]',
    "clientSecret: 'abc', codeVerifier: 'def'": "clientSecret: '[hidden]', codeVerifier: '[hidden]'",
    'x-api-key: abc': 'x-api-key: [hidden]',
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
    'password authentication failed for user "eve", and TOKEN_ENCRYPTION_KEY is not valid',
    'duplicate key value violates unique constraint "esi_tokens_pkey": Key (id)=(7) already exists',
    'basic authentication, character/90000001/refresh_token, /markets/10000002/orders?page=2',
  ];
  for (const text of texts) expect(redactSecrets(text)).toBe(text);
});

test('a secret of the process is masked wherever it stands', () => {
  const secrets = ['correct horse', 'correct horse battery', 'q&"uote\\d#1'];
  for (const secret of secrets) hideSecret(secret);
  for (const text of secrets) {
    expect(redactSecrets(`(${text})`)).toBe('([hidden])');
    expect(redactSecrets(`x?y=${encodeURIComponent(text)}&z`)).toBe('x?y=[hidden]&z');
    expect(redactSecrets(JSON.stringify({ text }))).toBe('{"text":"[hidden]"}');
  }
  hidePasswordOf('postgres://eve:p%40ss%2Fword@db/eve');
  hidePasswordOf('postgres://db/eve?password=in-the-query');
  expect(redactSecrets('p@ss/word p%40ss%2Fword in-the-query')).toBe('[hidden] [hidden] [hidden]');
});

test('words and short texts are no secrets', () => {
  hideSecret('');
  hideSecret('eve');
  hidePasswordOf('postgres://eve:eve@db/eve');
  hidePasswordOf('not an address');
  expect(redactSecrets('eve-collector of EVE')).toBe('eve-collector of EVE');
});

test('tokens are masked until two thousand others were used', () => {
  hideToken('opaque-refresh-token-1');
  for (let n = 2; n <= 2_000; n++) hideToken(`opaque-refresh-token-${n}.`);
  expect(redactSecrets('sent opaque-refresh-token-1 to EVE')).toBe('sent [hidden] to EVE');
  hideToken('opaque-refresh-token-1'); // used again
  hideToken('opaque-refresh-token-2001.');
  expect(redactSecrets('opaque-refresh-token-1, opaque-refresh-token-2.')).toBe(
    '[hidden], opaque-refresh-token-2.',
  );
});

test('a field that is named as a secret is masked as a whole', () => {
  const fields = {
    refreshToken: 'a b c',
    password: 'x, y',
    API_TOKEN: 'z',
    refresh_token: null,
    tokens: 3,
    name: 'Eve',
  };
  expect(JSON.parse(JSON.stringify(fields), redactField)).toEqual({
    refreshToken: '[hidden]',
    password: '[hidden]',
    API_TOKEN: '[hidden]',
    refresh_token: null,
    tokens: 3,
    name: 'Eve',
  });
});
