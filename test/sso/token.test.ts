import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { exportSPKI, importJWK, type CryptoKey } from 'jose';
import { allOf, errorOf } from './support.ts';
import {
  CLAIMS,
  CLIENT_ID,
  JWKS,
  METADATA,
  type Signer,
  type Stage,
  signer,
  signWith,
  startStage,
} from './stage.ts';

let [rsa, ec, stranger, next]: Signer[] = [];
beforeAll(async () => {
  rsa = await signer('RS256', 'JWT-Signature-Key');
  ec = await signer('ES256', '8878a23f-2489-4045-989e-4d2f3ec1ae1a');
  stranger = await signer('RS256', 'JWT-Signature-Key');
  next = await signer('ES256', 'the next key');
});

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
  publish(rsa!, ec!);
});
afterEach(() => stage.close());

function publish(...signers: Signer[]): void {
  stage.lines[JWKS] = { body: { keys: signers.map(({ jwk }) => jwk), SkipUnresolvedJsonWebKeys: true } };
}

/** The error of a token, which neither it nor its cause may repeat. */
async function refusal(token: string) {
  const error = await errorOf(stage.sso.verify(token));
  expect(error).toMatchObject({ code: 'BAD_TOKEN', verdict: 'fail' });
  for (const part of token.split('.').filter((each) => each.length > 3))
    expect(allOf(error)).not.toContain(part);
  return error.message;
}

const claiming = async (claims: Record<string, unknown>) => refusal(await rsa!.sign(claims));
const seconds = () => stage.clock.now() / 1_000;

describe('a good token', () => {
  test('signed with RS256 or ES256 says who it is', async () => {
    for (const { sign } of [rsa!, ec!])
      expect(await stage.sso.verify(await sign())).toEqual({
        identity: {
          characterId: 90000001,
          name: 'Some Bloke',
          ownerHash: '8PmzCeTKb4VFUDrHLc/AeZXDSWM=',
          scopes: CLAIMS.scp,
        },
        expiresAt: new Date(CLAIMS.exp * 1_000),
      });
    expect([stage.count(METADATA), stage.count(JWKS)]).toEqual([1, 1]);
  });

  test('has its scopes as a list, as a plain string, or not at all', async () => {
    const scopes = async (claims: Record<string, unknown>) =>
      (await stage.sso.verify(await rsa!.sign(claims))).identity.scopes;
    expect(await scopes({ scp: 'esi-assets.read_assets.v1' })).toEqual(['esi-assets.read_assets.v1']);
    expect(await scopes({ scp: 'a.v1 b.v1' })).toEqual(['a.v1', 'b.v1']);
    expect(await scopes({ scp: undefined })).toEqual([]);
    expect(await scopes({ scp: '' })).toEqual([]);
  });

  test('may have the issuer with a slash at its end', async () => {
    expect(await stage.sso.verify(await rsa!.sign({ iss: 'login.eveonline.com/' }))).toBeDefined();
  });

  test('is good until half a minute after its end, as clocks differ', async () => {
    const token = await rsa!.sign();
    stage.clock.advance(1_200_000 + 29_000);
    expect(await stage.sso.verify(token)).toBeDefined();
    stage.clock.advance(1_000);
    expect(await refusal(token)).toContain('has expired already: check the clock');
  });
});

describe('a bad token', () => {
  test('of another issuer, also one of EVE when another server is asked', async () => {
    stage.lines[METADATA] = { body: { ...document(), issuer: stage.url } };
    for (const iss of [
      'https://login.evil.example',
      'login.eveonline.com',
      'https://login.eveonline.com',
      '',
      undefined,
    ])
      expect(await claiming({ iss })).toContain("somebody else than EVE's login server");
  });

  test('for another application, or not for EVE', async () => {
    for (const aud of [['another', 'EVE Online'], [CLIENT_ID], [CLIENT_ID, 'EVE Offline'], []])
      expect(await claiming({ aud })).toContain('for another application');
    for (const aud of [CLIENT_ID, undefined, 'EVE Online'])
      expect(await claiming({ aud })).toContain('no proper "aud"');
  });

  test('expired, not valid yet, or without an end', async () => {
    expect(await claiming({ exp: seconds() - 31 })).toContain('has expired');
    expect(await claiming({ nbf: seconds() + 31 })).toContain('not valid yet');
    expect(await claiming({ exp: undefined })).toContain('does not say until when');
    expect(await claiming({ exp: 1e300 })).toContain('no proper "exp"');
  });

  test('forged: signed with another key under the same name, or changed after signing', async () => {
    expect(await refusal(await stranger!.sign())).toContain('is forged');
    const [header, , signature] = (await rsa!.sign()).split('.');
    const payload = Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'CHARACTER:EVE:1' })).toString('base64url');
    expect(await refusal([header, payload, signature].join('.'))).toContain('is forged');
  });

  test('signed with the public key as a shared secret (HS256)', async () => {
    const key = (await importJWK({ ...rsa!.jwk, ext: true }, 'RS256', { extractable: true })) as CryptoKey;
    const secret = new TextEncoder().encode(await exportSPKI(key));
    const header = { alg: 'HS256', kid: 'JWT-Signature-Key' };
    expect(await refusal(await signWith(secret, {}, header))).toContain('is unsigned, or signed in a way');
  });

  test('unsigned (alg none), in any spelling', async () => {
    const payload = Buffer.from(JSON.stringify(CLAIMS)).toString('base64url');
    for (const alg of ['none', 'None', 'NONE']) {
      const header = Buffer.from(JSON.stringify({ alg, kid: 'JWT-Signature-Key' })).toString('base64url');
      expect(await refusal(`${header}.${payload}.`)).toContain('is unsigned');
    }
  });

  test('whose key has another algorithm, or that names no key', async () => {
    const { kid } = ec!.jwk;
    expect(await refusal(await rsa!.sign({}, { kid }))).toContain('a key that EVE does not publish');
    expect(await refusal(await rsa!.sign({}, { kid: undefined }))).toContain(
      'a key that EVE does not publish',
    );
  });

  test('without an owner, a name, or a character', async () => {
    for (const owner of ['', undefined, 7]) expect(await claiming({ owner })).toContain('no proper "owner"');
    expect(await claiming({ name: '' })).toContain('no proper "name"');
    for (const sub of [
      '',
      'CORPORATION:EVE:1',
      'CHARACTER:EVE:',
      'CHARACTER:EVE:0',
      'CHARACTER:EVE:1x',
      'x:CHARACTER:EVE:1',
    ])
      expect(await claiming({ sub })).toContain('no proper "sub"');
    expect(await claiming({ scp: [1] })).toContain('no proper "scp"');
  });

  test('that is none', async () => {
    for (const text of ['', 'abc', 'a.b.c', `${await rsa!.sign()}.x`])
      expect(await refusal(text)).toContain('no signed token');
  });
});

describe('keys', () => {
  test('that EVE has changed are found at once, also by several who look', async () => {
    await stage.sso.verify(await rsa!.sign());
    publish(next!);
    const token = await next!.sign();
    const verified = await Promise.all([1, 2, 3].map(() => stage.sso.verify(token)));
    expect(verified).toHaveLength(3);
    expect(stage.count(JWKS)).toBe(2);
  });

  test('that EVE has withdrawn are not believed after ten minutes', async () => {
    const token = await rsa!.sign({ exp: seconds() + 3_600 });
    await stage.sso.verify(token);
    publish(ec!);
    stage.clock.advance(600_000);
    expect(await refusal(token)).toContain('does not publish');
  });

  test('that nobody knows are asked for once in ten seconds', async () => {
    await stage.sso.verify(await rsa!.sign());
    const unknown = await next!.sign();
    for (let n = 0; n < 5; n++) await refusal(unknown);
    await Promise.all([1, 2, 3].map(() => refusal(unknown)));
    expect(stage.count(JWKS)).toBe(2);
    stage.clock.advance(10_000);
    await refusal(unknown);
    await refusal(unknown);
    expect(stage.count(JWKS)).toBe(3);
    await stage.sso.verify(await rsa!.sign());
    expect(stage.count(JWKS)).toBe(3);
  });

  test('that cannot be fetched are trouble, and no fault of the token', async () => {
    stage.lines[JWKS] = { status: 503 };
    expect(await errorOf(stage.sso.verify(await rsa!.sign()))).toMatchObject({
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
      stage.lines[JWKS] = { body };
      const error = await errorOf(stage.sso.verify(await rsa!.sign()));
      expect(error).toMatchObject({ code: 'SSO_TROUBLE', verdict: 'retry' });
    }
    publish(rsa!);
    expect(await stage.sso.verify(await rsa!.sign())).toBeDefined();
  });

  test('of kinds that we do not know are passed over', async () => {
    const odd = [{ kty: 'OKP', crv: 'Ed25519', x: 'eA', kid: 'odd', alg: 'EdDSA' }, { future: true }];
    stage.lines[JWKS] = { body: { keys: [...odd, rsa!.jwk] } };
    expect(await stage.sso.verify(await rsa!.sign())).toBeDefined();
  });
});

function document() {
  return (stage.lines[METADATA] as { body: object }).body;
}
