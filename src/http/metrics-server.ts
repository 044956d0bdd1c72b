import { Hono } from 'hono';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { escapeInvisibleLines } from '../lib/text.ts';
import { createGuessLimit } from './guess-limit.ts';
import { respondWithError } from './problem.ts';
import { type AccessRules, guardHostAndOrigin, requireAuth, secureResponses } from './security.ts';
import { createAnswerSharing } from './share-answers.ts';

/** What the metrics are read from, and who may read them. */
export interface MetricsSources {
  readonly access: AccessRules;
  /** The metrics in the text format of Prometheus. */
  readonly read: () => Promise<string>;
  readonly contentType: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** `/metrics` for Prometheus, and nothing else. With tokens it needs one, as the bearer token. */
export function createMetricsApp({ access, read, contentType, clock, log }: MetricsSources): Hono {
  const app = new Hono();
  app.use(secureResponses(access)).use(guardHostAndOrigin(access, []));
  const paths = { isPublic: () => false, isPage: () => false };
  if (access.tokens.length > 0) app.use(requireAuth(access.tokens, paths, createGuessLimit(clock, log)));
  // Some gauges ask the database, and some labels are words of ESI.
  app.get('/metrics', createAnswerSharing(clock).share, async (c) =>
    c.body(escapeInvisibleLines(await read()), 200, { 'content-type': contentType }),
  );
  app.notFound((c) => c.text('See /metrics\n', 404));
  app.onError((error, c) => respondWithError(error, c, log));
  return app;
}
