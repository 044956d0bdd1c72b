import { randomBytes } from 'node:crypto';
import type { Rotation } from './sso-options.ts';

/** What a character has allowed an application, and the refresh tokens that stand for it. */
export interface Grant {
  characterId: number;
  clientId: string;
  scopes: string[];
  ownerHash: string;
  /** The tokens that are good now; each knows which one it was given for. */
  tokens: { token: string; parent: string | undefined }[];
}

const TOKEN_BYTES = 24; // 32 letters, as EVE's newer refresh tokens have at the least

/** A secret that nobody guesses. */
export const randomToken = (): string => randomBytes(TOKEN_BYTES).toString('base64url');

/** All grants of one SSO. */
export class Grants {
  rotation: Rotation;
  /** Also of the tokens that are dead by now. */
  readonly #byToken = new Map<string, Grant>();
  readonly #byCharacter = new Map<number, Set<Grant>>();

  constructor(rotation: Rotation) {
    this.rotation = rotation;
  }

  add(given: Omit<Grant, 'tokens'>): { grant: Grant; token: string } {
    const grant: Grant = { ...given, tokens: [] };
    const known = this.#byCharacter.get(given.characterId) ?? new Set();
    this.#byCharacter.set(given.characterId, known.add(grant));
    return { grant, token: this.#issue(grant, undefined) };
  }

  /** Whose token it is or was. */
  grantOf(token: string): Grant | undefined {
    return this.#byToken.get(token);
  }

  isValid(grant: Grant, token: string): boolean {
    return grant.tokens.some((known) => known.token === token);
  }

  /** The grants of a character that are good for something. */
  of(characterId: number): Grant[] {
    return [...(this.#byCharacter.get(characterId) ?? [])].filter(({ tokens }) => tokens.length > 0);
  }

  /** Uses a living token and gives the one to be used next. */
  use(grant: Grant, token: string): string {
    if (this.rotation === 'never') return token;
    // Whoever uses a token has received it: what came before it, and its twins, are done with.
    grant.tokens =
      this.rotation === 'strict'
        ? []
        : grant.tokens.filter((known) => known.token === token || known.parent === token);
    return this.#issue(grant, token);
  }

  /** Its tokens are good for nothing any more. */
  end(grant: Grant): void {
    grant.tokens = [];
    this.#byCharacter.get(grant.characterId)?.delete(grant);
  }

  #issue(grant: Grant, parent: string | undefined): string {
    const token = randomToken();
    grant.tokens.push({ token, parent });
    this.#byToken.set(token, grant);
    return token;
  }
}
