import { BlockList, isIPv4 } from 'node:net';
import { z } from 'zod';
import { isCron } from '../lib/cron.ts';
import { parseDuration } from '../lib/duration.ts';
import { isLoopback } from '../lib/loopback.ts';

/*
 * The types of settings. Each carries in its metadata what it accepts, in words that follow "Use": the messages about bad
 * values and docs/settings.md show them.
 */

/** A text that `accepts` and otherwise is refused with the words of `accepted`. */
const text = (accepted: string, accepts: (value: string) => boolean) =>
  z.string({ error: accepted }).refine(accepts, accepted).meta({ accepted });

/** Any text. */
export const anyText = z.string().min(1).meta({ accepted: 'any text' });

/** A file or folder. System calls end a path at NUL. */
export const filePath = z
  .string()
  .min(1)
  .refine((value) => !value.includes('\0'), 'a path without NUL')
  .meta({ accepted: 'a path' });

/** One of the given words. */
export function oneOf<const W extends readonly [string, ...string[]]>(...words: W) {
  const accepted = `one of ${words.join(', ')}`;
  return z.enum(words, { error: accepted }).meta({ accepted });
}

/** A whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number) {
  const accepted = `a whole number from ${min} to ${max}`;
  const inRange = (value: string) => /^\d+$/.test(value) && Number(value) >= min && Number(value) <= max;
  return text(accepted, inRange).transform(Number);
}

/** A TCP port; 0 means any free one. */
export const port = wholeNumber(0, 65_535);

/** A switch. */
export const boolean = oneOf('true', 'false', 'yes', 'no', '1', '0').transform((word) =>
  ['true', '1', 'yes'].includes(word),
);

function withoutEndingSlashes(address: string): string {
  let end = address.length;
  while (address[end - 1] === '/') end--;
  return address.slice(0, end);
}

/** A URL of one of the given protocols (`https:`), without slashes at its end. */
export function url(...protocols: string[]) {
  const accepted = `an address that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`;
  const accepts = (value: string) => URL.canParse(value) && protocols.includes(new URL(value).protocol);
  return text(accepted, accepts).transform(withoutEndingSlashes);
}

const WITHOUT_CREDENTIALS = 'an address without user and password';

/** Web addresses are logged and shown, so they must not contain secrets. */
function hasNoCredentials(value: string): boolean {
  const { username, password } = new URL(value);
  return username === '' && password === '';
}

/** Paths are appended to these addresses, so a query or a fragment would swallow them. */
const isBase = (value: string): boolean => hasNoCredentials(value) && !/[?#]/.test(value);

/** Addresses of the link itself (RFC 3927, RFC 4291). Clouds tell secrets of the machine there, and nothing else is. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet('169.254.0.0', 16, 'ipv4');
LINK_LOCAL.addSubnet('fe80::', 10, 'ipv6');

function isLinkLocal(value: string): boolean {
  const { hostname } = new URL(value); // IPv4 in its usual form, however it was written
  if (isIPv4(hostname)) return LINK_LOCAL.check(hostname, 'ipv4');
  return hostname.startsWith('[') && LINK_LOCAL.check(hostname.slice(1, -1), 'ipv6');
}

const BASE = 'an address without user, password, query and fragment';

/** A web address that is safe to log, and that paths can be appended to. */
export const webAddress = url('http:', 'https:')
  .refine(isBase, { message: BASE, abort: true })
  .refine((value) => !isLinkLocal(value), 'an address that is not link-local')
  .meta({
    accepted: `an address that begins with http:// or https://, without user, password, query and fragment`,
  });

/** Whether what is sent there cannot be read or changed on the way. */
function isPrivate(value: string): boolean {
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' || isLoopback(hostname);
}

/** A web address that gets tokens, or whose answers are believed. */
export const secureAddress = webAddress
  .refine(isPrivate, 'https, because http is for this machine only')
  .meta({
    accepted:
      'an address that begins with https:// (http:// on loopback), without user, password, query and fragment',
  });

/** `host:port` of a server. */
export const hostAndPort = text('host:port', (value) => /^[^\s/:]+:\d+$/.test(value));

/** `/api/tokens/callback` is one of our own routes and accepts logins as well; the other routes are taken. */
function isFreePath({ pathname, search, hash }: URL): boolean {
  const taken = ['/', '/health', '/login', '/style.css'].includes(pathname) || /^\/api(\/|$)/.test(pathname);
  return search === '' && hash === '' && (!taken || pathname === '/api/tokens/callback');
}

const CALLBACK = 'an address with a path of its own, such as http://localhost:8080/callback';

/** The callback URL, unchanged: EVE compares it letter for letter with the registered one. */
export const callbackUrl = z
  .string()
  .refine((value) => /^https?:\/\//.test(value) && URL.canParse(value) && isFreePath(new URL(value)), {
    message: CALLBACK,
    abort: true,
  })
  // Browsers encode other characters, and the router reads some of them as patterns: such a path would never match.
  .refine(
    (value) => /^[\w./~-]+$/.test(new URL(value).pathname),
    'an address with a path of letters, digits and any of ._~/-',
  )
  .refine(hasNoCredentials, WITHOUT_CREDENTIALS)
  .meta({ accepted: CALLBACK });

/** A host to listen on. URLs write IPv6 addresses in brackets; sockets take them without. */
export const listenHost = anyText
  .transform((value) => (/^\[[^[\]]*\]$/.test(value) && value.includes(':') ? value.slice(1, -1) : value))
  .meta({ accepted: 'a host name or address' });

/** A duration of at least `min`, as its text. */
export const duration = (min: string) =>
  z
    .string()
    .refine((value) => parseDuration(value) !== undefined, {
      message: 'a duration such as 10s, 5m, 1h or 1d',
      abort: true,
    })
    .refine((value) => parseDuration(value)! >= parseDuration(min)!, `at least ${min}`)
    .meta({ accepted: `a duration such as 10s, 5m, 1h or 1d, at least ${min}` });

/** How long rows are kept. */
export const retention = text(
  'a duration such as 90d, or 0 to keep for ever',
  (value) => value === '0' || (parseDuration(value) ?? 0) > 0,
);

/** A cron expression in UTC. */
export const cron = text('five cron fields, e.g. "0 2 * * 0" (UTC)', isCron);

/** A day. */
export const day = z.iso.date('a date such as 2026-08-18').meta({ accepted: 'a date such as 2026-08-18' });

/** Region ids, each once, or `all`. */
export const regions = text('region ids separated by commas, or "all"', (value) =>
  /^(all|\d{8}(\s*,\s*\d{8})*)$/.test(value),
);

/** An e-mail address, a URL, or a Discord or in-game name marked as such: CCP asks for a way to reach the operator. */
const CONTACTS = [
  /[^\s@]@[^\s@.]+\.[^\s@]/,
  /https?:\/\/\S/i,
  /(?:discord|eve|character|in-game|ign)\s*[:=]\s*\S/i,
];

const CONTACT = 'a text with a contact: an e-mail address, a URL, or "Discord: name" or "EVE: character"';

/** A line of Latin-1 without control characters: more cannot be sent in a header. */
export const userAgent = z
  .string({ error: CONTACT })
  .refine((value) => /^[\x20-\x7E\xA0-\xFF]+$/.test(value), {
    message: 'one line of Latin letters, digits and signs (Latin-1), because it is sent as a header',
    abort: true,
  })
  .refine((value) => CONTACTS.some((contact) => contact.test(value)), CONTACT)
  .meta({ accepted: CONTACT });

/** Whether a text is 32 bytes (an AES-256 key) in canonical base64. */
function isKey(value: string): boolean {
  const bytes = Buffer.from(value.trim(), 'base64');
  return bytes.length === 32 && bytes.toString('base64') === value.trim();
}

export const encryptionKeys = text('keys of 32 bytes in base64, separated by commas', (value) =>
  value.split(',').every(isKey),
);

/** Long enough not to be guessed, and of characters that an Authorization header can carry. */
export const apiToken = z
  .string()
  .min(16, { error: 'at least 16 characters', abort: true })
  .regex(/^[\w.~+/-]+=*$/, 'letters, digits and any of ._~+/-, which a bearer token can contain')
  .meta({ accepted: 'at least 16 letters, digits and any of ._~+/-' });
