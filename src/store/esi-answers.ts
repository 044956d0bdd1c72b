import type { Clock } from '../lib/clock.ts';
import { DAY, MINUTE } from '../lib/duration.ts';
import type { Database, Queryable } from './database.ts';

/** An answer as its headers describe it. */
export interface SharedAnswer {
  readonly json: unknown;
  readonly etag: string | undefined;
  readonly lastModified: Date | undefined;
  readonly expires: Date | undefined;
  readonly pages: number | undefined;
}

/** Requests an answer. `known` is the one that has expired. */
type RequestAnswer = (known: SharedAnswer | undefined) => Promise<SharedAnswer>;

/** A process that has claimed a request for this long is dead: a request waits 20 s at most and takes three attempts. */
const CLAIM_MS = 2 * MINUTE;

/** Others look this often whether the claimed request has ended. */
const CLAIM_RETRY = 250;

/** Answers that nobody asked for again in this time are deleted. ESI caches nothing for longer. */
const UNUSED_AFTER = 2 * DAY;

/**
 * Creates the reader of answers that all processes share until they expire. One process at a time requests a URL; the
 * others wait for its answer.
 */
export function createAnswerReader(db: Pick<Database, 'pool'>, clock: Clock) {
  const reading = new Map<string, Promise<SharedAnswer>>();
  const readShared = async (url: string, request: RequestAnswer, signal?: AbortSignal) => {
    for (;;) {
      const now = clock.now();
      const known = await readAnswer(db.pool, url);
      if (known?.expires && known.expires.getTime() > now) return known;
      if (await claim(db.pool, url, now)) return requestClaimed(db.pool, url, () => request(known));
      await clock.sleep(CLAIM_RETRY, signal);
    }
  };
  return {
    /** The stored answer of `url`, or that of `request`, which is stored. */
    async read(url: string, request: RequestAnswer, signal?: AbortSignal): Promise<SharedAnswer> {
      // Callers of this process wait for each other without asking the database.
      for (let other = reading.get(url); other; other = reading.get(url)) await other.catch(() => undefined);
      const answer = readShared(url, request, signal).finally(() => reading.delete(url));
      reading.set(url, answer);
      return answer;
    },
  };
}

interface AnswerRow {
  readonly body: unknown;
  readonly etag: string | null;
  readonly last_modified: Date | null;
  readonly expires: Date | null;
  readonly pages: number | null;
}

async function readAnswer(db: Queryable, url: string): Promise<SharedAnswer | undefined> {
  const { rows } = await db.query<AnswerRow>(
    `SELECT body, etag, last_modified, expires, pages FROM esi_answers WHERE url = $1 AND body IS NOT NULL`,
    [url],
  );
  const [row] = rows;
  if (!row) return undefined;
  return {
    json: row.body,
    etag: row.etag ?? undefined,
    lastModified: row.last_modified ?? undefined,
    expires: row.expires ?? undefined,
    pages: row.pages ?? undefined,
  };
}

/** Claims the request of a URL whose answer has expired. Returns false when another process has it. */
async function claim(db: Queryable, url: string, now: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO esi_answers AS a (url, claimed_until) VALUES ($1, $3)
       ON CONFLICT (url) DO UPDATE SET claimed_until = $3
         WHERE coalesce(a.claimed_until, '-infinity') <= $2 AND coalesce(a.expires, '-infinity') <= $2`,
    [url, new Date(now), new Date(now + CLAIM_MS)],
  );
  return rowCount === 1;
}

/** Stores the answer of a claimed request, and ends the claim however the request ends. */
async function requestClaimed(
  db: Queryable,
  url: string,
  request: () => Promise<SharedAnswer>,
): Promise<SharedAnswer> {
  try {
    const answer = await request();
    const { json, etag, lastModified, expires, pages } = answer;
    await db.query(
      `UPDATE esi_answers SET body = $2, etag = $3, last_modified = $4, expires = $5, pages = $6 WHERE url = $1`,
      [url, JSON.stringify(json), etag ?? null, lastModified ?? null, expires ?? null, pages ?? null],
    );
    return answer;
  } finally {
    await db.query('UPDATE esi_answers SET claimed_until = NULL WHERE url = $1', [url]);
  }
}

/** Deletes answers that expired long ago. */
export async function deleteUnusedAnswers(db: Pick<Database, 'pool'>, now: Date): Promise<void> {
  await db.pool.query('DELETE FROM esi_answers WHERE coalesce(greatest(expires, claimed_until), $1) <= $1', [
    new Date(now.getTime() - UNUSED_AFTER),
  ]);
}
