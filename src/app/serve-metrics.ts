import { escapeInvisibleLines } from '../lib/text.ts';
import { type Listening, listen } from '../http/listen.ts';
import type { App } from './create-app.ts';
import type { Config } from './settings.ts';

/** Serves Prometheus metrics at `/metrics` on METRICS_PORT, and nothing else. Throws AppError PORT_TAKEN. */
export function serveMetrics(config: Config, app: Pick<App, 'metrics'>): Promise<Listening> {
  const { registry } = app.metrics;
  const respond = async (request: Request) => {
    if (new URL(request.url).pathname !== '/metrics') return new Response('See /metrics\n', { status: 404 });
    return new Response(escapeInvisibleLines(await registry.metrics()), {
      headers: { 'content-type': registry.contentType },
    });
  };
  return listen(respond, { host: config.HTTP_HOST, port: config.METRICS_PORT, setting: 'METRICS_PORT' });
}
