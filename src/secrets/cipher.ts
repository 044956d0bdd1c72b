import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { AppError } from '../lib/errors.ts';
import { hideToken } from '../lib/redact.ts';

/**
 * Encrypts secrets for the database: AES-256-GCM, `v1.<key id>.<iv>.<ciphertext>.<tag>` in hex and base64url. The context
 * (owner and column of the secret) is authenticated but not contained, so a text copied to another row cannot be
 * decrypted.
 */
export interface Cipher {
  /** Encrypts with the first key. */
  encrypt(text: string, context: string): string;
  /**
   * Throws AppError `fail`: TOKEN_UNREADABLE when its key is not available, TOKEN_TAMPERED when it was changed, cut off, or
   * belongs to another context.
   */
  decrypt(encrypted: string, context: string): string;
  /** Whether a text was encrypted by this cipher, even when it is damaged. False for all tokens of EVE. */
  isEncrypted(text: string): boolean;
  /** Whether it is encrypted with the first key. If not, it should be encrypted again. */
  usesFirstKey(encrypted: string): boolean;
}

/** AES-256. */
export const KEY_BYTES = 32;
/** GCM's standard length. With random IVs a key is safe for 2^32 texts (NIST SP 800-38D), about eighty years of use. */
const IV_BYTES = 12;
/** GCM's full tag. Node would accept shorter ones, which are easier to guess. */
const TAG_BYTES = 16;

/**
 * The beginning of an encrypted text. A JWT begins with `eyJ`, and refresh tokens of EVE contain no dot, so neither looks
 * like this. A damaged text that begins like this is not a plaintext token, which would be sent to EVE or encrypted twice.
 */
const ENCRYPTED = /^\s*v1\.[0-9a-f]{8}\./;
const PARTS = /^v1\.([0-9a-f]{8})\.([\w-]{16})\.([\w-]*)\.([\w-]{22})$/;

/** The id of a key, which reveals nothing of it. The prefix separates this hash from any other use of the key. */
function keyId(key: Buffer): string {
  return createHash('sha256').update('eve-data-collector token key\0').update(key).digest('hex').slice(0, 8);
}

const fail = (code: string, message: string) => new AppError(message, { code, verdict: 'fail' });

function tampered(context: string): AppError {
  return fail(
    'TOKEN_TAMPERED',
    `The value stored as ${context} was changed, cut off, or copied from another row, and cannot be decrypted. ` +
      'Restore the original value, or log the character in again.',
  );
}

function unreadable(context: string, id: string, known: readonly string[]): AppError {
  return fail(
    'TOKEN_UNREADABLE',
    `The value stored as ${context} is encrypted with the key ${id}, which is not available (available: ` +
      `${known.join(', ')}). Append that key to TOKEN_ENCRYPTION_KEY after a comma (a generated key is in token.key of ` +
      'DATA_DIR), or log the character in again.',
  );
}

/** The bytes of a base64url text; undefined when it is not their canonical encoding. */
function bytesOf(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

function encryptWith(key: Buffer, id: string, text: string, context: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(context));
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  const parts = [iv, ciphertext, cipher.getAuthTag()].map((bytes) => bytes.toString('base64url'));
  return ['v1', id, ...parts].join('.');
}

function decryptWith(key: Buffer, parts: readonly string[], context: string): string {
  const [iv, ciphertext, tag] = parts.map(bytesOf);
  if (!iv || !ciphertext || !tag) throw tampered(context);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(context)).setAuthTag(tag);
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8');
  } catch {
    throw tampered(context); // the cause says only "unable to authenticate"
  }
}

/** Creates a cipher from keys of 32 bytes: the first encrypts, all decrypt. Throws AppError BAD_KEY. */
export function createCipher(keys: readonly Buffer[]): Cipher {
  const byId = new Map(keys.map((key) => [keyId(key), key]));
  const ids = [...byId.keys()];
  const [first] = keys;
  const current = ids[0];
  if (!first || current === undefined || keys.some((key) => key.length !== KEY_BYTES))
    throw fail('BAD_KEY', `Encrypting tokens needs at least one key, of ${KEY_BYTES} bytes each.`);
  return {
    encrypt(text, context) {
      hideToken(text);
      return encryptWith(first, current, text, context);
    },
    decrypt(encrypted, context) {
      const text = encrypted.trim();
      if (!ENCRYPTED.test(text))
        throw fail('TOKEN_UNREADABLE', `The value stored as ${context} is not encrypted.`);
      const id = text.slice(3, 11); // after `v1.`
      const key = byId.get(id);
      if (!key) throw unreadable(context, id, ids);
      const [, , ...parts] = PARTS.exec(text) ?? [];
      const plaintext = decryptWith(key, parts, context);
      hideToken(plaintext);
      return plaintext;
    },
    isEncrypted: (text) => ENCRYPTED.test(text),
    usesFirstKey: (encrypted) => encrypted.trimStart().startsWith(`v1.${current}.`),
  };
}
