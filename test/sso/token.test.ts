import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { exportSPKI, importJWK, type CryptoKey } from 'jose';
import { allOf, errorOf } from './support.ts';
import {
  CLAIMS,
  CLIENT_ID,
  JWKS,
  METADATA,
  type Signer,
  type TestSso,
  signer,
  signWith,
  startTestSso,
} from './test-sso.ts';

let [rsa, ec, stranger, next]: Signer[] = [];
beforeAll(async () => {
  rsa = await signer('RS256', 'JWT-Signature-Key');
  ec = await signer('ES256', '8878a23f-2489-4045-989e-4d2f3ec1ae1a');
  stranger = await signer('RS256', 'JWT-Signature-Key');
  next = await signer('ES256', 'the next key');
});

let server: TestSso;
beforeEach(async () => {
  server = await startTestSso();
  publish(rsa!, ec!);
});
afterEach(() => server.close());

function publish(...signers: Signer[]): void {
  server.responses[JWKS] = { body: { keys: signers.map(({ jwk }) => jwk), SkipUnresolvedJsonWebKeys: true } };
}

/** The error of a token, which neither it nor its cause may repeat. */
async function refusal(token: string) {
  const error = await errorOf(server.sso.verify(token));
  expect(error).toMatchObject({ code: 'BAD_TOKEN', verdict: 'fail' });
  for (const part of token.split('.').filter((each) => each.length > 3))
    expect(allOf(error)).not.toContain(part);
  return error.message;
}

const claiming = async (claims: Record<string, unknown>) => refusal(await rsa!.sign(claims));
const seconds = () => server.clock.now() / 1_000;

describe('valid access tokens', () => {
  test('a token signed with RS256 or ES256 returns its identity', async () => {
    for (const { sign } of [rsa!, ec!])
      expect(await server.sso.verify(await sign())).toEqual({
        identity: {
          characterId: 90000001,
          name: 'Some Bloke',
          ownerHash: '8PmzCeTKb4VFUDrHLc/AeZXDSWM=',
          scopes: CLAIMS.scp,
        },
        expiresAt: new Date(CLAIMS.exp * 1_000),
      });
    expect([server.count(METADATA), server.count(JWKS)]).toEqual([1, 1]);
  });

  test('a token has its scopes as a list, as a string, or not at all', async () => {
    const scopes = async (claims: Record<string, unknown>) =>
      (await server.sso.verify(await rsa!.sign(claims))).identity.scopes;
    expect(await scopes({ scp: 'esi-assets.read_assets.v1' })).toEqual(['esi-assets.read_assets.v1']);
    expect(await scopes({ scp: 'a.v1 b.v1' })).toEqual(['a.v1', 'b.v1']);
    expect(await scopes({ scp: undefined })).toEqual([]);
    expect(await scopes({ scp: '' })).toEqual([]);
  });

  test('a token may have an issuer with a trailing slash', async () => {
    expect(await server.sso.verify(await rsa!.sign({ iss: 'login.eveonline.com/' }))).toBeDefined();
  });

  test('a name has its invisible characters left out, and a hundred characters at most', async () => {
    const name = async (text: string) =>
      (await server.sso.verify(await rsa!.sign({ name: text }))).identity.name;
    expect(await name('\u001B[31mEve\u202E\r\n Online')).toBe('[31mEve Online');
    expect(await name('x'.repeat(10_000))).toBe('x'.repeat(100));
  });

  test('a token is accepted until 30 s after its expiry, because clocks differ', async () => {
    const token = await rsa!.sign();
    server.clock.advance(1_200_000 + 29_000);
    expect(await server.sso.verify(token)).toBeDefined();
    server.clock.advance(1_000);
    expect(await refusal(token)).toContain('has expired: check the clock');
  });
});

describe('invalid access tokens', () => {
  test('a token of another issuer is rejected, also one of EVE at another SSO', async () => {
    server.responses[METADATA] = { body: { ...document(), issuer: server.url } };
    for (const iss of [
      'https://login.evil.example',
      'login.eveonline.com',
      'https://login.eveonline.com',
      '',
      undefined,
    ])
      expect(await claiming({ iss })).toContain("was not issued by EVE's login server");
  });

  test('a token for another application, or not for EVE, is rejected', async () => {
    for (const aud of [['another', 'EVE Online'], [CLIENT_ID], [CLIENT_ID, 'EVE Offline'], []])
      expect(await claiming({ aud })).toContain('to another application');
    for (const aud of [CLIENT_ID, undefined, 'EVE Online'])
      expect(await claiming({ aud })).toContain('no valid "aud"');
  });

  test('a token that is expired, not valid yet, or without expiry is rejected', async () => {
    expect(await claiming({ exp: seconds() - 31 })).toContain('has expired');
    expect(await claiming({ nbf: seconds() + 31 })).toContain('not valid yet');
    expect(await claiming({ exp: undefined })).toContain('has no expiry');
    expect(await claiming({ exp: 1e300 })).toContain('no valid "exp"');
  });

  test('a token signed with another key of the same name, or changed after signing, is rejected', async () => {
    expect(await refusal(await stranger!.sign())).toContain('is forged');
    const [header, , signature] = (await rsa!.sign()).split('.');
    const payload = Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'CHARACTER:EVE:1' })).toString('base64url');
    expect(await refusal([header, payload, signature].join('.'))).toContain('is forged');
  });

  test('a token signed with the public key as a shared secret (HS256) is rejected', async () => {
    const key = (await importJWK({ ...rsa!.jwk, ext: true }, 'RS256', { extractable: true })) as CryptoKey;
    const secret = new TextEncoder().encode(await exportSPKI(key));
    const header = { alg: 'HS256', kid: 'JWT-Signature-Key' };
    expect(await refusal(await signWith(secret, {}, header))).toContain(
      'is unsigned, or signed with an algorithm',
    );
  });

  test('an unsigned token (alg none) is rejected in any spelling', async () => {
    const payload = Buffer.from(JSON.stringify(CLAIMS)).toString('base64url');
    for (const alg of ['none', 'None', 'NONE']) {
      const header = Buffer.from(JSON.stringify({ alg, kid: 'JWT-Signature-Key' })).toString('base64url');
      expect(await refusal(`${header}.${payload}.`)).toContain('is unsigned');
    }
  });

  test('a token whose key has another algorithm, or that names no key, is rejected', async () => {
    const { kid } = ec!.jwk;
    expect(await refusal(await rsa!.sign({}, { kid }))).toContain('a key that EVE does not publish');
    expect(await refusal(await rsa!.sign({}, { kid: undefined }))).toContain(
      'a key that EVE does not publish',
    );
  });

  test('a token without owner, name, or character is rejected', async () => {
    for (const owner of ['', undefined, 7]) expect(await claiming({ owner })).toContain('no valid "owner"');
    expect(await claiming({ name: '' })).toContain('no valid "name"');
    for (const sub of [
      '',
      'CORPORATION:EVE:1',
      'CHARACTER:EVE:',
      'CHARACTER:EVE:0',
      'CHARACTER:EVE:1x',
      'x:CHARACTER:EVE:1',
    ])
      expect(await claiming({ sub })).toContain('no valid "sub"');
    expect(await claiming({ scp: [1] })).toContain('no valid "scp"');
  });

  test('a claim that cannot be stored is rejected', async () => {
    for (const name of ['Eve\u0000', '\uD800', '\u200B\u0007', 7])
      expect(await claiming({ name })).toContain('no valid "name"');
    for (const owner of ['a\u0000', '\u001B[2J', 'x'.repeat(201)])
      expect(await claiming({ owner })).toContain('no valid "owner"');
    for (const scp of [['a.v1\u0000'], 'a.v1\u001B[2J', ['x'.repeat(201)], ['a,b']])
      expect(await claiming({ scp })).toContain('no valid "scp"');
    for (const exp of [8.64e15, 8.64e12, 253_402_300_800])
      expect(await claiming({ exp })).toContain('no valid "exp"');
  });

  test('a text that is not a token is rejected', async () => {
    for (const text of ['', 'abc', 'a.b.c', `${await rsa!.sign()}.x`])
      expect(await refusal(text)).toContain('not a signed token');
  });
});

describe('SSO keys', () => {
  test('new keys are loaded at once, and once for several tokens', async () => {
    await server.sso.verify(await rsa!.sign());
    publish(next!);
    const token = await next!.sign();
    const verified = await Promise.all([1, 2, 3].map(() => server.sso.verify(token)));
    expect(verified).toHaveLength(3);
    expect(server.count(JWKS)).toBe(2);
  });

  test('withdrawn keys are not accepted after ten minutes', async () => {
    const token = await rsa!.sign({ exp: seconds() + 3_600 });
    await server.sso.verify(token);
    publish(ec!);
    server.clock.advance(600_000);
    expect(await refusal(token)).toContain('does not publish');
  });

  test('keys are loaded for unknown keys once in ten seconds', async () => {
    await server.sso.verify(await rsa!.sign());
    const unknown = await next!.sign();
    for (let n = 0; n < 5; n++) await refusal(unknown);
    await Promise.all([1, 2, 3].map(() => refusal(unknown)));
    expect(server.count(JWKS)).toBe(2);
    server.clock.advance(10_000);
    await refusal(unknown);
    await refusal(unknown);
    expect(server.count(JWKS)).toBe(3);
    await server.sso.verify(await rsa!.sign());
    expect(server.count(JWKS)).toBe(3);
  });

  test('keys that cannot be loaded are a failure of the SSO, not of the token', async () => {
    server.responses[JWKS] = { status: 503 };
    expect(await errorOf(server.sso.verify(await rsa!.sign()))).toMatchObject({
      code: 'SSO_TROUBLE',
      verdict: 'retry',
    });
    for (const body of [
      { keys: [] },
      { keys: [{ kty: 'oct', kid: 'x', k: 'eA', alg: 'HS256' }] },
      { keys: [{ ...rsa!.jwk, alg: undefined }] },
      { keys: [{ ...rsa!.jwk, kid: undefined }] },
      [],
      '<html>',
    ]) {
      server.responses[JWKS] = { body };
      const error = await errorOf(server.sso.verify(await rsa!.sign()));
      expect(error).toMatchObject({ code: 'SSO_TROUBLE', verdict: 'retry' });
    }
    publish(rsa!);
    expect(await server.sso.verify(await rsa!.sign())).toBeDefined();
  });

  test('keys of unknown kinds are ignored', async () => {
    const odd = [{ kty: 'OKP', crv: 'Ed25519', x: 'eA', kid: 'odd', alg: 'EdDSA' }, { future: true }];
    server.responses[JWKS] = { body: { keys: [...odd, rsa!.jwk] } };
    expect(await server.sso.verify(await rsa!.sign())).toBeDefined();
  });
});

function document() {
  return (server.responses[METADATA] as { body: object }).body;
}
