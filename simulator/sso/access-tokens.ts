import type { Grant } from './grants.ts';

/** An access token as ESI knows it. */
export interface Access {
  characterId: number;
  clientId: string;
  scopes: Set<string>;
  /** Milliseconds. */
  expiresAt: number;
  state: 'good' | 'expired' | 'revoked';
  grant: Grant | undefined;
}

const KEPT = 20_000; // tokens of a thousand characters for six hours: 40 MB
const DISCARDED_AT_ONCE = 5_000; // how many of the oldest go at once

/** The access tokens that were given out. One that is not here is none of ours. */
export class AccessTokens {
  readonly #known = new Map<string, Access>();

  add(token: string, access: Access): void {
    this.#known.set(token, access);
    if (this.#known.size <= KEPT) return;
    for (const old of [...this.#known.keys()].slice(0, DISCARDED_AT_ONCE)) this.#known.delete(old);
  }

  find(token: string): Access | undefined {
    return this.#known.get(token);
  }

  of(characterId: number): Access[] {
    return [...this.#known.values()].filter((access) => access.characterId === characterId);
  }

  /** Those given for a grant are revoked with it. */
  end(grant: Grant): void {
    for (const access of this.#known.values()) if (access.grant === grant) access.state = 'revoked';
  }
}

/** The token of an `Authorization` header, if one is there. */
export function bearerOf(header: string | undefined): string | undefined {
  return /^bearer\s+(\S+)$/i.exec(header?.trim() ?? '')?.[1];
}
