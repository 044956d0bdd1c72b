import type { OpenAPIHono } from '@hono/zod-openapi';
import type { RunRow } from '../store/sets/run-list.ts';
import { answerCallback, refuseCallback } from './callback.ts';
import * as routes from './api-routes.ts';
import type { HttpSources } from './http-sources.ts';

const text = (moment: Date | null) => moment?.toISOString() ?? null;

const runView = (run: RunRow) => ({
  ...run,
  startedAt: run.startedAt.toISOString(),
  finishedAt: text(run.finishedAt),
  lastModified: text(run.lastModified),
});

/** The callback's own path, and that of ESI_CALLBACK_URL. */
export const callbackPaths = (callbackUrl: string): string[] => [
  ...new Set(['/api/tokens/callback', new URL(callbackUrl).pathname]),
];

/** What the API does. Errors go up: they become problem details in one place. */
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

function addTokens(app: OpenAPIHono, { desk, login, log }: HttpSources): void {
  app.openapi(routes.register, async (c) => {
    const { expiresAt, ...begun } = await desk.startLogin(c.req.valid('json'));
    return c.json({ ...begun, expiresAt: expiresAt.toISOString() }, 200);
  });
  for (const path of callbackPaths(login.callbackUrl))
    app.openapi(
      routes.callback(path),
      (c) => answerCallback(c, log, () => desk.finishLogin(c.req.valid('query'))),
      (result, c) => (result.success ? undefined : answerCallback(c, log, refuseCallback)),
    );
  app.openapi(routes.listTokens, async (c) => c.json(await desk.listTokens(), 200));
  app.openapi(routes.deleteToken, async (c) => {
    await desk.deleteToken(c.req.valid('param').id);
    return c.body(null, 204);
  });
  app.openapi(routes.enableToken, async (c) => {
    // Without a body nothing is validated, and nothing filled in.
    await desk.enableToken(c.req.valid('param').id, c.req.valid('json').enabled ?? true);
    return c.body(null, 204);
  });
}

function addAssignments(app: OpenAPIHono, { desk }: HttpSources): void {
  app.openapi(routes.listAssignments, async (c) => c.json(await desk.listAssignments(), 200));
  app.openapi(routes.createAssignment, async (c) =>
    c.json(await desk.createAssignment(c.req.valid('json')), 201),
  );
  app.openapi(routes.updateAssignment, async (c) =>
    c.json(await desk.updateAssignment(c.req.valid('param').id, c.req.valid('json')), 200),
  );
  app.openapi(routes.deleteAssignment, async (c) => {
    await desk.deleteAssignment(c.req.valid('param').id);
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
