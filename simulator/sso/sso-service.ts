import { createHash } from 'node:crypto';
import type { Clock } from '../../src/lib/clock.ts';
import { AccessTokens, type Access } from './access-tokens.ts';
import { Grants, randomToken, type Grant } from './grants.ts';
import { SigningKeys, type Claims } from './signing-keys.ts';
import { DEFAULT_CLIENT, type SsoClient, type SsoOptions } from './sso-options.ts';

/** The characters that can log in. */
export interface CharacterSource {
  list(): { id: number; name: string }[];
  nameOf(characterId: number): string | undefined;
}

/** An authorization code that the browser carries to the token endpoint. */
export interface Code {
  characterId: number;
  clientId: string;
  redirectUri: string;
  scopes: string[];
  challenge: string | undefined;
  expiresAt: number;
  /** The grant made for the code. A second use of the code revokes it. */
  grant: Grant | undefined;
  used: boolean;
}

/** The requests received, by kind. */
export interface SsoCounts {
  metadata: number;
  jwks: number;
  authorize: number;
  /** Requests for tokens, by grant type. */
  authorization_code: number;
  refresh_token: number;
  revoke: number;
  /** Unknown addresses and grant types. */
  other: number;
}

/** A login has to be completed within five minutes. */
const CODE_MS = 300_000;

/** What EVE announces. The token itself states one second more. */
export const TOKEN_SECONDS = 1_199;

const noCounts = (): SsoCounts => ({
  metadata: 0,
  jwks: 0,
  authorize: 0,
  authorization_code: 0,
  refresh_token: 0,
  revoke: 0,
  other: 0,
});

/** EVE's SSO: the grants of characters to applications, and their tokens. */
export class SsoService {
  /** The issuer, set when the server listens. */
  url = '';
  readonly keys: SigningKeys;
  readonly grants: Grants;
  readonly access = new AccessTokens();
  readonly clients: readonly SsoClient[];
  readonly codes = new Map<string, Code>();
  readonly characters: CharacterSource;
  counts = noCounts();
  /** Access tokens that replace the next ones. */
  readonly queuedAccessTokens: string[] = [];
  readonly #clock: Clock;
  readonly #transfers = new Map<number, number>();

  /** `remembered`: the grants of an earlier SSO with the same clients. */
  constructor(options: SsoOptions, clock: Clock, characters: CharacterSource, remembered?: readonly Grant[]) {
    this.clients = options.clients ?? [DEFAULT_CLIENT];
    this.keys = new SigningKeys(options.algorithm ?? 'RS256');
    this.grants = new Grants(options.rotation ?? 'lenient', remembered);
    this.characters = characters;
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  client(id: string): SsoClient | undefined {
    return this.clients.find((client) => client.id === id);
  }

  /** The owner hash, which changes with the account of the character. */
  ownerHash(characterId: number): string {
    const key = `${characterId}.${this.#transfers.get(characterId) ?? 0}`;
    return createHash('sha1').update(key).digest('base64'); // 28 letters, like EVE's
  }

  transfer(characterId: number): string {
    this.#transfers.set(characterId, (this.#transfers.get(characterId) ?? 0) + 1);
    return this.ownerHash(characterId);
  }

  addCode(code: Omit<Code, 'expiresAt' | 'grant' | 'used'>): string {
    const text = randomToken();
    this.codes.set(text, { ...code, expiresAt: this.now() + CODE_MS, grant: undefined, used: false });
    return text;
  }

  open(characterId: number, clientId: string, scopes: string[]): { grant: Grant; token: string } {
    return this.grants.add({ characterId, clientId, scopes, ownerHash: this.ownerHash(characterId) });
  }

  /** Revokes a grant with its refresh tokens and access tokens. */
  end(grant: Grant): void {
    this.grants.end(grant);
    this.access.end(grant);
  }

  /** The claims of a character's token, issued now. */
  async claims(characterId: number, clientId: string, scopes: readonly string[]): Promise<Claims> {
    const issued = Math.floor(this.now() / 1_000);
    return {
      // A single scope is a plain string, and a token without scopes has no such claim.
      ...(scopes.length > 0 ? { scp: scopes.length === 1 ? scopes[0] : scopes } : {}),
      jti: crypto.randomUUID(),
      kid: await this.keys.kid(),
      sub: `CHARACTER:EVE:${characterId}`,
      azp: clientId,
      tenant: 'tranquility',
      tier: 'live',
      region: 'world',
      aud: [clientId, 'EVE Online'],
      name: this.characters.nameOf(characterId) ?? `Character ${characterId}`,
      owner: this.ownerHash(characterId),
      exp: issued + TOKEN_SECONDS + 1,
      iat: issued,
      iss: this.url,
    };
  }

  /** A new access token, which ESI accepts. */
  async accessToken(grant: Grant, scopes: readonly string[]): Promise<string> {
    const claims = await this.claims(grant.characterId, grant.clientId, scopes);
    const token = await this.keys.sign(claims);
    this.register(token, claims, grant);
    return token;
  }

  /** Makes ESI accept a token, as it accepts all that the SSO has signed. */
  register(token: string, claims: Claims, grant: Grant | undefined): void {
    const { scp = [], sub, azp, exp } = claims;
    const access: Access = {
      characterId: Number(String(sub).split(':').at(-1)),
      clientId: String(azp),
      scopes: new Set([scp].flat() as string[]),
      expiresAt: Number(exp) * 1_000,
      state: 'good',
      grant,
    };
    this.access.add(token, access);
  }

  resetCounts(): void {
    this.counts = noCounts();
  }
}
