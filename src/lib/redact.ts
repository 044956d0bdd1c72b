/** Replaces a secret. */
const MASK = '[hidden]';

const SECRETS: readonly [RegExp, string][] = [
  // JWTs, complete or cut off. The base64 of `{"` begins with eyJ.
  [/\beyJ[\w-]{4,}(?:\.[\w-]*)*/g, MASK],
  // At least 8 and 16 characters, so that words such as "authentication" remain readable.
  [/\b(Bearer)\s+[\w.~+/=-]{8,}/gi, `$1 ${MASK}`],
  [/\b(Basic)\s+[\w+/=-]{16,}/gi, `$1 ${MASK}`],
  // Texts that the cipher encrypted.
  [/\bv1\.[0-9a-f]{8}\.[\w-]+(?:\.[\w-]*)*/g, MASK],
  // Forms and JSON of OAuth: access_token, refresh_token, client_secret, code_verifier.
  [/(_token|_secret|_verifier)(\\?["']?\s*[=:]\s*\\?["']?)[^\s"'&,;}\\]+/gi, `$1$2${MASK}`],
  // Passwords in addresses, such as that of the database, up to the last @ of the authority, as URLs are parsed. A match
  // ends at a quote, because in a line of JSON the next value would be included.
  [/(:\/\/[^\s/:"]*:)[^\s/"]+@/g, `$1${MASK}@`],
  // OAuth code and state only within an address or a form, because the words alone mean other things.
  [/([?&](?:code|state)=)[^\s"'&#]+/gi, `$1${MASK}`],
];

/** Masks tokens, Authorization values, encrypted texts, passwords in addresses and OAuth secrets in a text. */
export function redactSecrets(text: string): string {
  return SECRETS.reduce((clean, [pattern, mask]) => clean.replaceAll(pattern, mask), text);
}
