import { toExactInt } from '../lib/exact-int.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A number that may be an integer beyond 2^53: its digits follow where a value begins. Prices seldom have sixteen. */
const MAY_BE_LARGE = /(?:^|[\s:,[])-?\d{16}/;

/** A token of digits, letters and signs that begins here. */
const TOKEN = /[-+.\w]+/y;

/** The end of the string that begins at `start`: behind its closing quote. Each character is read once. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at + 1;
  }
  return text.length;
}

/** What a token outside of strings is replaced by. */
function replaceToken(token: string): string {
  if (/^-?(?:NaN|Infinity)$/.test(token)) return 'null';
  if (!/^-?\d{16,}$/.test(token)) return token;
  const value = toExactInt(token);
  return typeof value === 'string' ? `"${value}"` : token;
}

/**
 * Replaces NaN and Infinity by null (they are not JSON, but some encoders write them, and null invalidates one row only) and
 * integers beyond 2^53 by their digits as text. Reads each character once, whatever the text is.
 */
function rewriteTokens(text: string): string {
  const parts: string[] = [];
  let copied = 0;
  for (let at = 0; at < text.length;) {
    if (text.charCodeAt(at) === QUOTE) {
      at = stringEnd(text, at);
      continue;
    }
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) {
      at++;
      continue;
    }
    const replaced = replaceToken(token);
    if (replaced !== token) {
      parts.push(text.slice(copied, at), replaced);
      copied = at + token.length;
    }
    at += token.length;
  }
  return parts.length === 0 ? text : parts.join('') + text.slice(copied);
}

/**
 * Parses JSON without losing a digit of an integer, see ExactInt. Only a text that holds a large integer, or is no JSON, is
 * read twice. Throws SyntaxError.
 */
export function parseExactJson(text: string): unknown {
  if (MAY_BE_LARGE.test(text)) return JSON.parse(rewriteTokens(text));
  try {
    return JSON.parse(text);
  } catch {
    return JSON.parse(rewriteTokens(text));
  }
}
