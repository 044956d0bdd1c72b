import { randomBytes } from 'node:crypto';
import type { Rotation } from './sso-options.ts';

/** What a character has allowed an application, with its refresh tokens. */
export interface Grant {
  characterId: number;
  clientId: string;
  scopes: string[];
  ownerHash: string;
  /** The valid tokens, each with the token that it replaces. */
  tokens: { token: string; parent: string | undefined }[];
}

/** 32 letters, the least that EVE's newer refresh tokens have. */
const TOKEN_BYTES = 24;

/** A secret that cannot be guessed. */
export const randomToken = (): string => randomBytes(TOKEN_BYTES).toString('base64url');

/** All grants of one SSO. */
export class Grants {
  rotation: Rotation;
  /** Includes tokens that are no longer valid. */
  readonly #byToken = new Map<string, Grant>();
  readonly #byCharacter = new Map<number, Set<Grant>>();

  /** `remembered`: the grants of an earlier SSO. */
  constructor(rotation: Rotation, remembered: readonly Grant[] = []) {
    this.rotation = rotation;
    for (const grant of structuredClone(remembered)) {
      this.#byCharacter.set(
        grant.characterId,
        (this.#byCharacter.get(grant.characterId) ?? new Set()).add(grant),
      );
      for (const { token } of grant.tokens) this.#byToken.set(token, grant);
    }
  }

  /** All grants that have valid tokens. */
  remember(): Grant[] {
    return structuredClone([...this.#byCharacter.keys()].flatMap((characterId) => this.of(characterId)));
  }

  add(given: Omit<Grant, 'tokens'>): { grant: Grant; token: string } {
    const grant: Grant = { ...given, tokens: [] };
    const known = this.#byCharacter.get(given.characterId) ?? new Set();
    this.#byCharacter.set(given.characterId, known.add(grant));
    return { grant, token: this.#issue(grant, undefined) };
  }

  /** The grant of a token, valid or not. */
  grantOf(token: string): Grant | undefined {
    return this.#byToken.get(token);
  }

  isValid(grant: Grant, token: string): boolean {
    return grant.tokens.some((known) => known.token === token);
  }

  /** The grants of a character that have valid tokens. */
  of(characterId: number): Grant[] {
    return [...(this.#byCharacter.get(characterId) ?? [])].filter(({ tokens }) => tokens.length > 0);
  }

  /** Uses a valid token and returns the next one. */
  use(grant: Grant, token: string): string {
    if (this.rotation === 'never') return token;
    // The caller has received the token that it uses: its predecessors, and other successors of those, end here.
    grant.tokens =
      this.rotation === 'strict'
        ? []
        : grant.tokens.filter((known) => known.token === token || known.parent === token);
    return this.#issue(grant, token);
  }

  /** Invalidates the tokens of a grant. */
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
