import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

/** EVE's SSO signs with the first one today and publishes both. */
export type Algorithm = 'RS256' | 'ES256';
const ALGORITHMS: readonly Algorithm[] = ['RS256', 'ES256'];

interface Key {
  alg: Algorithm;
  kid: string;
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  jwk: JWK;
}

/** The claims of a token. Tests may use any. */
export type Claims = Record<string, unknown>;

/** The signer of a forged token: the SSO itself, another key under the SSO's key id, or none. */
export type Signer = 'own' | 'other' | 'none';

/** RS256 has EVE's own key id; EVE's ES256 key has a UUID. */
function kidOf(alg: Algorithm, generation: number): string {
  if (alg === 'ES256') return crypto.randomUUID();
  return generation === 1 ? 'JWT-Signature-Key' : `JWT-Signature-Key-${generation}`;
}

async function makeKey(alg: Algorithm, kid: string): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, kid, publicKey, privateKey, jwk: { ...(await exportJWK(publicKey)), alg, kid, use: 'sig' } };
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The keys of one SSO, made when they are first needed: an RSA key takes a tenth of a second. */
export class SigningKeys {
  algorithm: Algorithm;
  #generation = 1;
  #keys: Promise<Key[]> | undefined;
  readonly #removed = new Set<string>();

  constructor(algorithm: Algorithm) {
    this.algorithm = algorithm;
  }

  /** The answer of the JWKS address. */
  async jwks(): Promise<{ keys: JWK[]; SkipUnresolvedJsonWebKeys: true }> {
    const keys = (await this.#all()).filter(({ kid }) => !this.#removed.has(kid));
    return { keys: keys.map(({ jwk }) => jwk), SkipUnresolvedJsonWebKeys: true };
  }

  /** Makes new keys under new ids and removes the old ones. */
  async rotate(): Promise<void> {
    this.#generation++;
    this.#keys = undefined;
    await this.#all();
  }

  /** Removes a key from the JWKS; new tokens are still signed with it. */
  async remove(algorithm: Algorithm): Promise<void> {
    this.#removed.add((await this.#key(algorithm)).kid);
  }

  /** The key id of new tokens. */
  async kid(): Promise<string> {
    return (await this.#key(this.algorithm)).kid;
  }

  async sign(payload: Claims): Promise<string> {
    return this.forge(payload, {}, 'own');
  }

  /** A token with any header and payload. `HS256` is signed with the public key as the secret, which is a known attack. */
  async forge(payload: Claims, header: Claims, signer: Signer): Promise<string> {
    const key = await this.#key(this.algorithm);
    const full: Claims & { alg: string } = { alg: key.alg, kid: key.kid, typ: 'JWT', ...header };
    if (signer === 'none' || full.alg === 'none') return `${part(full)}.${part(payload)}.`;
    return new SignJWT(payload).setProtectedHeader(full).sign(await this.#secret(full.alg, signer));
  }

  async #secret(alg: string, signer: Signer): Promise<CryptoKey | Uint8Array> {
    if (alg.startsWith('HS')) {
      const { publicKey } = await this.#key('RS256');
      return new TextEncoder().encode(await exportSPKI(publicKey));
    }
    const known = ALGORITHMS.find((name) => name === alg);
    if (signer === 'own' && known) return (await this.#key(known)).privateKey;
    return (await generateKeyPair(alg, { extractable: true })).privateKey;
  }

  #all(): Promise<Key[]> {
    const generation = this.#generation;
    return (this.#keys ??= Promise.all(ALGORITHMS.map((alg) => makeKey(alg, kidOf(alg, generation)))));
  }

  async #key(algorithm: Algorithm): Promise<Key> {
    return (await this.#all()).find(({ alg }) => alg === algorithm) as Key;
  }
}
