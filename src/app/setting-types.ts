import { z } from 'zod';
import { parseDuration } from '../lib/clock.ts';
import { isCron } from '../lib/cron.ts';

/* What a setting may be. The messages go after "accepted is". */

export const count = (least: number, most: number) =>
  z.string().regex(/^\d+$/, 'a whole number').transform(Number).pipe(z.number().min(least).max(most));
export const port = count(0, 65_535);
export const bool = z
  .enum(['true', 'false', 'yes', 'no', '1', '0'])
  .transform((text) => ['true', '1', 'yes'].includes(text));
export const url = (...protocols: string[]) =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol),
      `an address that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`,
    )
    .transform((text) => text.replace(/\/+$/, ''));
/** Addresses of the web are logged and shown: nothing secret belongs into them. */
const isOpen = (text: string) => {
  const { username, password } = new URL(text);
  return username === '' && password === '';
};
const OPEN = 'an address without user and password';
export const http = url('http:', 'https:').refine(isOpen, OPEN);
/** As it is registered with EVE, letter for letter. Its path is one that nothing else here has. */
export const callback = z
  .string()
  .refine((text) => /^https?:\/\//.test(text) && URL.canParse(text) && isFreePath(new URL(text)), {
    message: 'an address with a path of its own, such as http://localhost:8080/callback',
    abort: true,
  })
  // Others are encoded on their way, or are patterns to the router: such a path would never be found.
  .refine(
    (text) => /^[\w./~-]+$/.test(new URL(text).pathname),
    'an address with a path of letters, digits and any of ._~/-',
  )
  .refine(isOpen, OPEN);
/** Addresses have IPv6 in brackets; what is listened on has not. */
export const host = z
  .string()
  .min(1)
  .transform((text) => text.replace(/^\[(.*:.*)\]$/, '$1'));
export const duration = (least: string) =>
  z
    .string()
    .refine((text) => parseDuration(text) !== undefined, {
      message: 'a duration such as 10s, 5m, 1h or 1d',
      abort: true,
    })
    .refine((text) => (parseDuration(text) ?? 0) >= parseDuration(least)!, `at least ${least}`);
export const retention = z
  .string()
  .refine(
    (text) => text === '0' || (parseDuration(text) ?? 0) > 0,
    'a duration such as 90d, or 0 to keep for ever',
  );
export const cron = z.string().refine(isCron, 'five cron fields, e.g. "0 2 * * 0" (UTC)');

/** `/api/tokens/callback` is ours, and does as well. */
function isFreePath({ pathname, search, hash }: URL): boolean {
  const taken = ['/', '/health', '/login', '/style.css'].includes(pathname) || /^\/api(\/|$)/.test(pathname);
  return search === '' && hash === '' && (!taken || pathname === '/api/tokens/callback');
}

/** 32 bytes for AES-256; a text that base64 gives back as it was. */
function isKey(text: string): boolean {
  const bytes = Buffer.from(text.trim(), 'base64');
  return bytes.length === 32 && bytes.toString('base64') === text.trim();
}

/** E-mail, web address, or a Discord or in-game name marked as such: ESI wants to be able to reach us. */
const CONTACT = /[^\s@]+@[^\s@]+\.[^\s@]+|https?:\/\/\S+|(discord|eve|character|in-game|ign)\s*[:=]\s*\S+/i;
const WITH_CONTACT =
  'a text with a contact: an e-mail address, a URL, or "Discord: name" or "EVE: character"';

export const userAgent = z.string({ error: WITH_CONTACT }).regex(CONTACT, WITH_CONTACT);
export const tokenKeys = z
  .string()
  .refine((text) => text.split(',').every(isKey), 'keys of 32 bytes in base64, separated by commas');
/** Long enough not to be guessed. */
export const apiToken = z
  .string()
  .min(16, { error: 'at least 16 characters', abort: true })
  .regex(/^[\w.~+/-]+=*$/, 'letters, digits and any of ._~+/-, which a bearer token can hold');
