import { AppError } from '../../lib/errors.ts';
import type { Cipher } from '../../secrets/cipher.ts';
import type { StoredToken } from '../../store/owners/tokens.ts';
import { decryptToken, type TokenKind, tokenContext } from './access-token.ts';

/** EVE's tokens are some thousand characters of ASCII without blanks. */
const TOKEN_TEXT = /^[\x21-\x7e]{8,8192}$/;

/** Why a stored login cannot be used. The texts are constant, so that such a reason can be recognised. */
const FAULTS = {
  EMPTY: 'The token is missing in the database row. Log the character in again.',
  NO_TOKEN: 'The stored token of this character is not a token of EVE. Log the character in again.',
  TOKEN_TAMPERED:
    'The stored token of this character was changed, truncated, or copied from another row. Log the character in again.',
  TOKEN_UNREADABLE:
    'The stored token was encrypted with a key that is not in use. Add that key to TOKEN_ENCRYPTION_KEY, or log the character in again.',
} as const;

/** Why a login can be off because of how it is stored; it is enabled again when that is mended. */
export const FAULT_TEXTS: readonly string[] = Object.values(FAULTS);

export const isFault = (reason: string | null): boolean => reason !== null && FAULT_TEXTS.includes(reason);

const KINDS: readonly TokenKind[] = ['access_token', 'refresh_token'];

const textOf = (token: StoredToken, kind: TokenKind): string | undefined =>
  (kind === 'access_token' ? token.accessToken : token.refreshToken)?.trim() || undefined;

/** Why a login cannot be used as it is stored; undefined when it can be decrypted, or is plaintext that may be a token. */
export function faultOf(cipher: Cipher, token: StoredToken): string | undefined {
  const texts = KINDS.flatMap((kind) => {
    const text = textOf(token, kind);
    return text === undefined ? [] : [{ kind, text }];
  });
  if (texts.length === 0) return FAULTS.EMPTY;
  for (const { kind, text } of texts) {
    try {
      if (!TOKEN_TEXT.test(decryptToken({ cipher }, token.characterId, kind, text))) return FAULTS.NO_TOKEN;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return error.code === 'TOKEN_UNREADABLE' ? FAULTS.TOKEN_UNREADABLE : FAULTS.TOKEN_TAMPERED;
    }
  }
  return undefined;
}

/** Whether a token is plaintext, as people insert them by SQL. */
export const hasPlaintext = (cipher: Cipher, token: StoredToken): boolean =>
  KINDS.some((kind) => {
    const text = textOf(token, kind);
    return text !== undefined && !cipher.isEncrypted(text);
  });

/** Whether all tokens of a login are encrypted with the first key. */
export const usesFirstKey = (cipher: Cipher, token: StoredToken): boolean =>
  KINDS.every((kind) => {
    const text = textOf(token, kind);
    return text === undefined || cipher.usesFirstKey(text);
  });

/** The tokens of a login, encrypted with the first key. Throws AppError where one cannot be decrypted. */
export function encryptTokenTexts(
  cipher: Cipher,
  token: StoredToken,
): Pick<StoredToken, 'id' | 'accessToken' | 'refreshToken'> {
  const encrypt = (kind: TokenKind) => {
    const text = textOf(token, kind);
    if (text === undefined) return null;
    if (cipher.isEncrypted(text) && cipher.usesFirstKey(text)) return text;
    const plaintext = decryptToken({ cipher }, token.characterId, kind, text);
    return cipher.encrypt(plaintext, tokenContext(token.characterId, kind));
  };
  return { id: token.id, accessToken: encrypt('access_token'), refreshToken: encrypt('refresh_token') };
}

/** The same for plaintext alone: what is encrypted stays as it is. */
export function encryptPlaintext(
  cipher: Cipher,
  token: StoredToken,
): Pick<StoredToken, 'id' | 'accessToken' | 'refreshToken'> {
  const encrypt = (kind: TokenKind) => {
    const text = textOf(token, kind);
    if (text === undefined) return null;
    return cipher.isEncrypted(text) ? text : cipher.encrypt(text, tokenContext(token.characterId, kind));
  };
  return { id: token.id, accessToken: encrypt('access_token'), refreshToken: encrypt('refresh_token') };
}
