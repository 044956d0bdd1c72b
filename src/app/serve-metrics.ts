import { cached } from '../lib/cached.ts';
import { systemClock } from '../lib/clock.ts';
import { SECOND } from '../lib/duration.ts';
import { escapeInvisibleLines } from '../lib/text.ts';
import { type Listening, listen } from '../http/listen.ts';
import type { App } from './create-app.ts';
import type { Config } from './settings.ts';

/** Serves Prometheus metrics at `/metrics` on METRICS_PORT, and nothing else. Throws AppError PORT_TAKEN. */
export function serveMetrics(config: Config, app: Pick<App, 'metrics'>): Promise<Listening> {
  const { registry } = app.metrics;
  // Some gauges ask the database: once a second at most, whoever scrapes.
  const text = cached(systemClock, SECOND, async () => escapeInvisibleLines(await registry.metrics()));
  const respond = async (request: Request) => {
    if (new URL(request.url).pathname !== '/metrics') return new Response('See /metrics\n', { status: 404 });
    return new Response(await text.get(), {
      headers: { 'content-type': registry.contentType },
    });
  };
  return listen(respond, { host: config.HTTP_HOST, port: config.METRICS_PORT, setting: 'METRICS_PORT' });
}
