/** Characters that PostgreSQL cannot store: U+0000 and lone surrogates. */
const UNSTORABLE = /[\0\p{Cs}]/gu;

/** Removes characters that PostgreSQL cannot store. */
export const stripUnstorable = (text: string): string => text.replaceAll(UNSTORABLE, '');

/** Whether PostgreSQL can store a text as it is. */
export const isStorable = (text: string): boolean => stripUnstorable(text) === text;

/**
 * Characters that act instead of being seen: controls such as ESC, with which a text clears a terminal or writes a line of its
 * own, and those that hide text or reverse its direction, such as U+202E.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const DELETE = 0x7f;

/** The Control Pictures of Unicode: U+2400 for NUL and so on, and U+2421 for DEL. */
function symbolOf(character: string): string {
  const code = character.codePointAt(0)!;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === DELETE ? '\u2421' : `\\u{${code.toString(16)}}`;
}

/** A text from elsewhere in one line that is safe to show: invisible characters become their symbols, U+202E `\u{202e}`. */
export const escapeInvisible = (text: string): string => text.replaceAll(INVISIBLE, symbolOf);

/** The same for a text of our own that has line breaks. */
export const escapeInvisibleLines = (text: string): string =>
  text.replaceAll(INVISIBLE, (character) => (character === '\n' ? character : symbolOf(character)));

/** The same for a line of JSON, whose value stays as it is. */
export const escapeInvisibleJson = (json: string): string =>
  json.replaceAll(INVISIBLE, (character) => (character === '\n' ? character : jsonEscape(character)));

/** One escape for each UTF-16 code unit, as JSON has it. */
const jsonEscape = (character: string): string =>
  character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');

/** Characters of a name. EVE's longest have 50. */
const MAX_NAME = 100;

/** A name from elsewhere as it is stored: without invisible characters, and of a hundred characters at most. */
export const cleanName = (text: string): string =>
  Array.from(text.replaceAll(INVISIBLE, '').trim()).slice(0, MAX_NAME).join('').trimEnd();
