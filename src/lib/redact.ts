/** What stands in a secret's place. */
const MASK = '[hidden]';

const SECRETS: readonly [RegExp, string][] = [
  // JWTs, whole or cut: the base64 of `{"` begins with eyJ.
  [/\beyJ[\w-]{4,}(?:\.[\w-]*)*/g, MASK],
  // 8 and 16 letters: so that words such as authentication stay readable.
  [/\b(Bearer)\s+[\w.~+/=-]{8,}/gi, `$1 ${MASK}`],
  [/\b(Basic)\s+[\w+/=-]{16,}/gi, `$1 ${MASK}`],
  // Texts that the cipher sealed.
  [/\bv1\.[0-9a-f]{8}\.[\w-]+(?:\.[\w-]*)*/g, MASK],
  // Forms and JSON of OAuth. A code and a state only within an address or a form: the words alone mean other things.
  [
    /\b(access_token|refresh_token|client_secret|code_verifier)(\\?["']?\s*[=:]\s*\\?["']?)[^\s"'&,;}\\]+/gi,
    `$1$2${MASK}`,
  ],
  // Passwords in addresses, such as that of the database: up to the last @ of the host's part, as addresses are read.
  // None goes beyond a quote: in a line of JSON the next value would be taken for its end.
  [/(:\/\/[^\s/:"]*:)[^\s/"]+@/g, `$1${MASK}@`],
  [/([?&](?:code|state)=)[^\s"'&#]+/gi, `$1${MASK}`],
];

/** Masks tokens, Authorization values, sealed texts, passwords in addresses and OAuth's secrets in any free text. */
export function redactSecrets(text: string): string {
  return SECRETS.reduce((clean, [pattern, mask]) => clean.replaceAll(pattern, mask), text);
}
