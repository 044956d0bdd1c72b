import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { AppError } from '../lib/errors.ts';

/**
 * Seals secrets for the database: AES-256-GCM, `v1.<key id>.<iv>.<ciphertext>.<tag>` in hex and base64url. The context
 * (whose secret, which column) is bound to the text without being in it: a text copied to another row does not open.
 */
export interface Cipher {
  /** Seals with the first key. */
  encrypt(text: string, context: string): string;
  /**
   * Throws AppError `fail`: TOKEN_UNREADABLE when no key of ours opens it, TOKEN_TAMPERED when it was changed, cut, or
   * belongs to another context.
   */
  decrypt(sealed: string, context: string): string;
  /** Whether a text was made here, even when it is damaged since. Tokens of EVE never are: see SEALED. */
  isEncrypted(text: string): boolean;
  /** Whether it is sealed with the first key: if not, it is time to seal it anew. */
  usesFirstKey(sealed: string): boolean;
}

/** AES-256. */
export const KEY_BYTES = 32;
/** GCM's own length; with random ones a key is good for 2^32 texts (NIST SP 800-38D), some eighty years of ours. */
const IV_BYTES = 12;
/** GCM's full tag: Node would accept shorter ones, which are easier to guess. */
const TAG_BYTES = 16;

/**
 * How a sealed text begins. A JWT begins with `eyJ`, and refresh tokens of EVE hold no dot: neither can look like this.
 * What begins like this and is damaged is still no token in the clear, which would be sent to EVE or sealed twice.
 */
const SEALED = /^\s*v1\.[0-9a-f]{8}\./;
const PARTS = /^v1\.([0-9a-f]{8})\.([\w-]{16})\.([\w-]*)\.([\w-]{22})$/;

/** Names a key without telling anything of it: the prefix keeps this hash apart from any other use of the key. */
function keyId(key: Buffer): string {
  return createHash('sha256').update('eve-data-collector token key\0').update(key).digest('hex').slice(0, 8);
}

const fail = (code: string, message: string) => new AppError(message, { code, verdict: 'fail' });

function tampered(context: string): AppError {
  return fail(
    'TOKEN_TAMPERED',
    `What is stored as ${context} was changed, cut off, or copied from another row, and does not open. ` +
      'Put the original value back, or log the character in again.',
  );
}

function unreadable(context: string, id: string, known: readonly string[]): AppError {
  return fail(
    'TOKEN_UNREADABLE',
    `What is stored as ${context} was sealed with the key ${id}, which is not in use here (in use: ` +
      `${known.join(', ')}). Append that key to TOKEN_ENCRYPTION_KEY after a comma (a key that was made by itself ` +
      'stands in token.key of DATA_DIR), or log the character in again.',
  );
}

/** The bytes of a base64url text, undefined when it is not the one text that stands for them. */
function bytesOf(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

function seal(key: Buffer, id: string, text: string, context: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return ['v1', id, ...[iv, sealed, cipher.getAuthTag()].map((b) => b.toString('base64url'))].join('.');
}

function open(key: Buffer, parts: readonly string[], context: string): string {
  const [iv, sealed, tag] = parts.map(bytesOf);
  if (!iv || !sealed || !tag) throw tampered(context);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(context)).setAuthTag(tag);
    return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8');
  } catch {
    throw tampered(context); // "unable to authenticate" is all that the cause would say
  }
}

/** A cipher of one or more keys of 32 bytes: the first seals, all open. Throws AppError BAD_KEY. */
export function createCipher(keys: readonly Buffer[]): Cipher {
  const byId = new Map(keys.map((key) => [keyId(key), key]));
  const ids = [...byId.keys()];
  const [first] = keys;
  const current = ids[0];
  if (!first || current === undefined || keys.some((key) => key.length !== KEY_BYTES))
    throw fail('BAD_KEY', `Tokens are sealed with at least one key, of ${KEY_BYTES} bytes each.`);
  return {
    encrypt: (text, context) => seal(first, current, text, context),
    decrypt(sealed, context) {
      const text = sealed.trim();
      if (!SEALED.test(text))
        throw fail('TOKEN_UNREADABLE', `What is stored as ${context} is not sealed, and cannot be opened.`);
      const id = text.slice(3, 11); // after `v1.`
      const key = byId.get(id);
      if (!key) throw unreadable(context, id, ids);
      const [, , ...parts] = PARTS.exec(text) ?? [];
      return open(key, parts, context);
    },
    isEncrypted: (text) => SEALED.test(text),
    usesFirstKey: (sealed) => sealed.trimStart().startsWith(`v1.${current}.`),
  };
}
