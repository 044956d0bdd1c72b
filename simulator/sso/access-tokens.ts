import type { Grant } from './grants.ts';

/** An access token as ESI sees it. */
export interface Access {
  characterId: number;
  clientId: string;
  scopes: Set<string>;
  /** Milliseconds. */
  expiresAt: number;
  state: 'good' | 'expired' | 'revoked';
  grant: Grant | undefined;
}

/** The tokens of a thousand characters for six hours: 40 MB. */
const MAX_TOKENS = 20_000;

/** The number of the oldest tokens that are discarded at once. */
const DISCARDED_AT_ONCE = 5_000;

/** The access tokens that were issued. ESI does not accept any other. */
export class AccessTokens {
  readonly #known = new Map<string, Access>();

  add(token: string, access: Access): void {
    this.#known.set(token, access);
    if (this.#known.size <= MAX_TOKENS) return;
    for (const old of [...this.#known.keys()].slice(0, DISCARDED_AT_ONCE)) this.#known.delete(old);
  }

  find(token: string): Access | undefined {
    return this.#known.get(token);
  }

  of(characterId: number): Access[] {
    return [...this.#known.values()].filter((access) => access.characterId === characterId);
  }

  /** Revokes the access tokens of a grant. */
  end(grant: Grant): void {
    for (const access of this.#known.values()) if (access.grant === grant) access.state = 'revoked';
  }
}

/** The token of an `Authorization` header, if it has one. */
export function bearerOf(header: string | undefined): string | undefined {
  return /^bearer\s+(\S+)$/i.exec(header?.trim() ?? '')?.[1];
}
