import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';

/** A packed answer. A whole region takes a hundred megabytes unpacked. */
export interface Body {
  gzip: Buffer;
  etag: string;
}

/** The format of ESI's and the simulator's entity tags: weak, 56 hexadecimal digits. */
export const ETAG_FORMAT = /^(?:W\/)?"?[0-9a-f]{56}"?$/;

const FAST = { level: 1 } as const; // three times as fast as the default for a tenth more bytes

export function packText(text: string): Body {
  const gzip = gzipSync(text, FAST);
  return { gzip, etag: `W/"${createHash('sha224').update(gzip).digest('hex')}"` };
}

export function packJson(value: unknown): Body {
  return packText(JSON.stringify(value));
}

/** Unpacks a body for a caller that does not accept gzip. */
export function unpack(body: Body): Buffer {
  return gunzipSync(body.gzip);
}

/** Compares entity tags as ESI does: without quotes and without the weak prefix. */
export function matchesTag(given: string, etag: string): boolean {
  const bare = (tag: string) => tag.trim().replace(/^W\//, '').replaceAll('"', '');
  return given === '*' || given.split(',').some((tag) => bare(tag) === bare(etag));
}
