import type { OpenAPIHono } from '@hono/zod-openapi';
import type { RunRow } from '../store/sets/run-list.ts';
import * as routes from './api-routes.ts';
import type { HttpSources } from './http-sources.ts';
import { rejectCallback, respondToCallback } from './login-callback.ts';

const isoOrNull = (moment: Date | null) => moment?.toISOString() ?? null;

const runView = (run: RunRow) => ({
  ...run,
  startedAt: run.startedAt.toISOString(),
  finishedAt: isoOrNull(run.finishedAt),
  lastModified: isoOrNull(run.lastModified),
});

/** Paths that serve the login callback: our own, and that of ESI_CALLBACK_URL. */
export const callbackPaths = (callbackUrl: string): string[] => [
  ...new Set(['/api/tokens/callback', new URL(callbackUrl).pathname]),
];

/** Adds the handlers of the API. Their errors become problem details in `createHttpApp`. */
export function addApi(app: OpenAPIHono, sources: HttpSources): void {
  app.openapi(routes.readHealth, async (c) => {
    const health = await sources.health();
    return c.json(health, health.status === 'down' ? 503 : 200);
  });
  app.openapi(routes.readStatus, async (c) => c.json(await sources.status(), 200));
  app.openapi(routes.listRuns, async (c) => {
    const runs = await sources.runs.list(c.req.valid('query'));
    return c.json(runs.map(runView), 200);
  });
  app.openapi(routes.startRun, async (c) => {
    const { collector, target } = c.req.valid('json');
    return c.json(await sources.runs.start(collector, target), 202);
  });
  addTokens(app, sources);
  addAssignments(app, sources);
  app.openAPIRegistry.registerPath(routes.readDescription);
  app.get(routes.readDescription.path, (c) => c.json(describe(app)));
}

function addTokens(app: OpenAPIHono, { owners, login, log }: HttpSources): void {
  app.openapi(routes.register, async (c) => {
    const { expiresAt, ...login } = await owners.startLogin(c.req.valid('json'));
    return c.json({ ...login, expiresAt: expiresAt.toISOString() }, 200);
  });
  for (const path of callbackPaths(login.callbackUrl))
    app.openapi(
      routes.callback(path),
      (c) => respondToCallback(c, log, () => owners.finishLogin(c.req.valid('query'))),
      (result, c) => (result.success ? undefined : respondToCallback(c, log, rejectCallback)),
    );
  app.openapi(routes.listTokens, async (c) => c.json(await owners.listTokens(), 200));
  app.openapi(routes.deleteToken, async (c) => {
    await owners.deleteToken(c.req.valid('param').id);
    return c.body(null, 204);
  });
  app.openapi(routes.enableToken, async (c) => {
    // A request without a body is not validated and gets no defaults.
    await owners.enableToken(c.req.valid('param').id, c.req.valid('json').enabled ?? true);
    return c.body(null, 204);
  });
}

function addAssignments(app: OpenAPIHono, { owners }: HttpSources): void {
  app.openapi(routes.listAssignments, async (c) => c.json(await owners.listAssignments(), 200));
  app.openapi(routes.createAssignment, async (c) =>
    c.json(await owners.createAssignment(c.req.valid('json')), 201),
  );
  app.openapi(routes.updateAssignment, async (c) =>
    c.json(await owners.updateAssignment(c.req.valid('param').id, c.req.valid('json')), 200),
  );
  app.openapi(routes.deleteAssignment, async (c) => {
    await owners.deleteAssignment(c.req.valid('param').id);
    return c.body(null, 204);
  });
}

function describe(app: OpenAPIHono) {
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'eve-data-collector', version: '1' },
    security: [{ token: [] }, {}],
  });
}
