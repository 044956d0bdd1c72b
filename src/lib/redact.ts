import { stripUnstorable } from './text.ts';

/** Replaces a secret. */
const MASK = '[hidden]';

/** A shorter text may be part of any word. */
const MIN_LENGTH = 6;

/** Tokens that are in use at once, by far. More would be looked for in each line of the log. */
const MAX_TOKENS = 2_000;

/** The secrets of the settings, longest first: one may contain another. */
let lasting: readonly string[] = [];

/** Tokens, in the order of their last use. */
const recent = new Set<string>();

/** A secret as it may stand in a text: as it is, within an address, and within JSON. */
function formsOf(secret: string): string[] {
  if (secret.length < MIN_LENGTH) return [];
  const inAddress = encodeURIComponent(stripUnstorable(secret));
  return [...new Set([secret, inAddress, JSON.stringify(secret).slice(1, -1)])];
}

/** Masks a secret of the settings wherever it stands, for as long as the process lives. */
export function hideSecret(secret: string): void {
  lasting = [...new Set([...lasting, ...formsOf(secret)])].toSorted((a, b) => b.length - a.length);
}

/** Masks the password of an address wherever it stands. */
export function hidePasswordOf(address: string): void {
  if (!URL.canParse(address)) return;
  const { password, searchParams } = new URL(address);
  for (const secret of [password, searchParams.get('password') ?? '']) {
    hideSecret(secret);
    try {
      hideSecret(decodeURIComponent(secret));
    } catch {
      // It is not encoded.
    }
  }
}

/** Masks a token, a code or a verifier wherever it stands, until two thousand others were used. */
export function hideToken(token: string): void {
  for (const form of formsOf(token)) {
    recent.delete(form);
    recent.add(form);
  }
  for (const oldest of recent) {
    if (recent.size <= MAX_TOKENS) return;
    recent.delete(oldest);
  }
}

/** Names of secrets, as in `refresh_token`, `refreshToken`, `API_TOKEN`, `clientSecret`, `?password=`. */
const SECRET_NAME =
  /(?:(?:[_-]|access|refresh|id|api|auth)token|(?:[_-]|client)secret|(?:[_-]|code)verifier|password|passwd|passphrase|(?:api|encryption|private)[_-]?key)$/i;

/** Whether a field of this name holds a secret. */
export const isSecretName = (name: string): boolean => SECRET_NAME.test(name);

const PATTERNS: readonly [RegExp, string][] = [
  // JWTs, complete or cut off. The base64 of `{"` begins with eyJ.
  [/\beyJ[\w-]{4,}(?:\.[\w-]*)*/g, MASK],
  // At least 8 and 16 characters, so that words such as "authentication" remain readable.
  [/\b(Bearer)\s+[\w.~+/=-]{8,}/gi, `$1 ${MASK}`],
  [/\b(Basic)\s+[\w+/=-]{16,}/gi, `$1 ${MASK}`],
  // Texts that the cipher encrypted.
  [/\bv1\.[0-9a-f]{8}\.[\w-]+(?:\.[\w-]*)*/g, MASK],
  // Forms, JSON, settings and addresses, with the names above.
  [
    /((?:[_-]|access|refresh|id|api|auth)token|(?:[_-]|client)secret|(?:[_-]|code)verifier|password|passwd|passphrase|(?:api|encryption|private)[_-]?key)(\\?["']?\s*[=:]\s*\\?["']?)[^\s"'&,;}\\]+/gi,
    `$1$2${MASK}`,
  ],
  // Passwords in addresses, such as that of the database, up to the last @ of the authority, as URLs are parsed. A match
  // ends at a quote, because in a line of JSON the next value would be included.
  [/(:\/\/[^\s/:"]*:)[^\s/"]+@/g, `$1${MASK}@`],
  // OAuth code and state only within an address or a form, because the words alone mean other things.
  [/([?&](?:code|state)=)[^\s"'&#]+/gi, `$1${MASK}`],
];

/**
 * Masks in a text what this process holds as a secret, and what looks like one: tokens, Authorization values, encrypted
 * texts, passwords and OAuth secrets.
 */
export function redactSecrets(text: string): string {
  let clean = text;
  for (const secrets of [lasting, recent])
    for (const secret of secrets) if (clean.includes(secret)) clean = clean.replaceAll(secret, MASK);
  return PATTERNS.reduce((masked, [pattern, mask]) => masked.replaceAll(pattern, mask), clean);
}

/** A value of a log or a JSON text, by its name: what `JSON.parse` takes as its reviver. */
export function redactField(name: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return isSecretName(name) ? MASK : redactSecrets(value);
}
