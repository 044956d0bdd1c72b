import { AppError } from '../../lib/errors.ts';
import type { TokenSecrets } from '../../store/owners/tokens.ts';
import type { Cipher } from '../../secrets/cipher.ts';
import { tokenContext } from './access-token.ts';

/** Tokens of EVE are some thousand letters of ASCII; nothing of theirs needs a blank. */
const TOKEN_TEXT = /^[\x21-\x7e]{8,8192}$/;

/** Why a stored login cannot be used, in plain words; the same words each time, so that it can be told from others. */
const FAULTS = {
  EMPTY: 'There is no token in the row. Log the character in again.',
  RUBBISH: 'What is stored as token of this character is no token of EVE. Log the character in again.',
  TOKEN_TAMPERED:
    'What is stored as token of this character was changed, cut off, or copied from another row. Log the character in again.',
  TOKEN_UNREADABLE:
    'The token was sealed with a key that is not in use here. Add that key to TOKEN_ENCRYPTION_KEY, or log the character in again.',
} as const;

/** Why a login can be off because of how it is stored: it may be on again when that is mended. */
export const FAULT_TEXTS: readonly string[] = Object.values(FAULTS);

export const isFault = (reason: string | null): boolean => reason !== null && FAULT_TEXTS.includes(reason);

const KINDS = ['access_token', 'refresh_token'] as const;
type Kind = (typeof KINDS)[number];

const textOf = (token: TokenSecrets, kind: Kind) =>
  (kind === 'access_token' ? token.accessToken : token.refreshToken)?.trim() || undefined;

/** What is wrong with a login as it is stored; undefined when it can be opened, or is in the clear and may be one. */
export function faultOf(cipher: Cipher, token: TokenSecrets): string | undefined {
  const texts = KINDS.flatMap((kind) => {
    const text = textOf(token, kind);
    return text === undefined ? [] : [{ kind, text }];
  });
  if (texts.length === 0) return FAULTS.EMPTY;
  for (const { kind, text } of texts) {
    try {
      const opened = cipher.isEncrypted(text)
        ? cipher.decrypt(text, tokenContext(token.characterId, kind))
        : text;
      if (!TOKEN_TEXT.test(opened)) return FAULTS.RUBBISH;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return error.code === 'TOKEN_UNREADABLE' ? FAULTS.TOKEN_UNREADABLE : FAULTS.TOKEN_TAMPERED;
    }
  }
  return undefined;
}

/** Whether a token stands in the clear, as people insert them by SQL. */
export const isClear = (cipher: Cipher, token: TokenSecrets) =>
  KINDS.some((kind) => {
    const text = textOf(token, kind);
    return text !== undefined && !cipher.isEncrypted(text);
  });

/** Whether all of a login is sealed with the first key. */
export const isCurrent = (cipher: Cipher, token: TokenSecrets): boolean =>
  KINDS.every((kind) => cipher.isCurrent(textOf(token, kind) ?? '') || textOf(token, kind) === undefined);

/** A login whose clear texts are sealed, and anew those sealed ones that `again` names; these have to open. */
export function sealed(
  cipher: Cipher,
  token: TokenSecrets,
  again: (text: string) => boolean,
): Pick<TokenSecrets, 'id' | 'accessToken' | 'refreshToken'> {
  const seal = (kind: Kind) => {
    const text = textOf(token, kind);
    if (text === undefined) return null;
    const context = tokenContext(token.characterId, kind);
    if (!cipher.isEncrypted(text)) return cipher.encrypt(text, context);
    return again(text) ? cipher.encrypt(cipher.decrypt(text, context), context) : text;
  };
  return { id: token.id, accessToken: seal('access_token'), refreshToken: seal('refresh_token') };
}
