import { createHash } from 'node:crypto';
import type { Clock } from '../../src/lib/clock.ts';
import { AccessTokens, type Access } from './access-tokens.ts';
import { Grants, randomToken, type Grant } from './grants.ts';
import { SigningKeys, type Claims } from './signing-keys.ts';
import { DEFAULT_CLIENT, type SsoClient, type SsoOptions } from './sso-options.ts';

/** Whoever can log in. */
export interface CharacterSource {
  list(): { id: number; name: string }[];
  nameOf(characterId: number): string | undefined;
}

/** A login on its way from the browser to the token address. */
export interface Code {
  characterId: number;
  clientId: string;
  redirectUri: string;
  scopes: string[];
  challenge: string | undefined;
  expiresAt: number;
  /** What was given for it: a second use takes that back. */
  grant: Grant | undefined;
  used: boolean;
}

/** The requests that came in, by kind. */
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

const CODE_MS = 300_000; // a login has to be finished within five minutes
export const TOKEN_SECONDS = 1_199; // as EVE announces it: the token itself says a second more
const noCounts = (): SsoCounts => ({
  metadata: 0,
  jwks: 0,
  authorize: 0,
  authorization_code: 0,
  refresh_token: 0,
  revoke: 0,
  other: 0,
});

/** EVE's SSO: who has allowed what to whom, and the tokens that say so. */
export class SsoService {
  /** The issuer; known once the server listens. */
  url = '';
  readonly keys: SigningKeys;
  readonly grants: Grants;
  readonly access = new AccessTokens();
  readonly clients: readonly SsoClient[];
  readonly codes = new Map<string, Code>();
  readonly characters: CharacterSource;
  counts = noCounts();
  /** Put in the place of the next access tokens. */
  readonly queuedAccessTokens: string[] = [];
  readonly #clock: Clock;
  readonly #sales = new Map<number, number>();

  constructor(options: SsoOptions, clock: Clock, characters: CharacterSource) {
    this.clients = options.clients ?? [DEFAULT_CLIENT];
    this.keys = new SigningKeys(options.algorithm ?? 'RS256');
    this.grants = new Grants(options.rotation ?? 'lenient');
    this.characters = characters;
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  client(id: string): SsoClient | undefined {
    return this.clients.find((client) => client.id === id);
  }

  /** Another one for each account that the character has been on. */
  ownerHash(characterId: number): string {
    const key = `${characterId}.${this.#sales.get(characterId) ?? 0}`;
    return createHash('sha1').update(key).digest('base64'); // 28 letters, as EVE's
  }

  transfer(characterId: number): string {
    this.#sales.set(characterId, (this.#sales.get(characterId) ?? 0) + 1);
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

  /** The refresh tokens of a grant die, and the access tokens made of them. */
  end(grant: Grant): void {
    this.grants.end(grant);
    this.access.end(grant);
  }

  /** What a token of a character says, signed now. */
  async claims(characterId: number, clientId: string, scopes: readonly string[]): Promise<Claims> {
    const issued = Math.floor(this.now() / 1_000);
    return {
      // A single scope is a plain string, and no scope is no claim.
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

  /** A fresh access token, which ESI will know. */
  async accessToken(grant: Grant, scopes: readonly string[]): Promise<string> {
    const claims = await this.claims(grant.characterId, grant.clientId, scopes);
    const token = await this.keys.sign(claims);
    this.register(token, claims, grant);
    return token;
  }

  /** Lets ESI take a token, as it takes whatever the SSO has signed. */
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
