import { createRoute, z } from '@hono/zod-openapi';
import * as schemas from './api-schemas.ts';

/* The routes of the API, as openapi.json describes them. Their handlers are in api.ts. */

const json = <S extends z.ZodType>(schema: S, description: string) => ({
  content: { 'application/json': { schema } },
  description,
});

const body = <S extends z.ZodType>(schema: S, required: boolean) => ({
  required,
  content: { 'application/json': { schema } },
});

/** Every error, as problem details (RFC 9457). */
const problems = {
  default: {
    content: { 'application/problem+json': { schema: schemas.problem } },
    description: 'Problem details',
  },
};

/** Errors of routes that people visit: a request that does not ask for JSON gets a page. */
const problemsOrPage = {
  default: {
    ...problems.default,
    content: { ...problems.default.content, 'text/html': { schema: z.string() } },
  },
};

const noContent = { description: 'Done' };

export const readHealth = createRoute({
  method: 'get',
  path: '/health',
  summary: 'Health checks. Needs no token',
  security: [],
  responses: {
    200: json(schemas.health, 'Everything works, or recovers by itself'),
    503: json(schemas.health, 'The database or Temporal is unreachable'),
    ...problems,
  },
});

export const readStatus = createRoute({
  method: 'get',
  path: '/api/status',
  summary: 'What is collected, how fresh it is, and what is wrong',
  responses: { 200: json(schemas.status, 'The state of every target, login and assignment'), ...problems },
});

export const register = createRoute({
  method: 'post',
  path: '/api/tokens/register',
  summary: 'Starts a login with the scopes that the collectors need. Send the person to the returned address',
  request: { body: body(schemas.registerBody, false) },
  responses: { 200: json(schemas.startedLogin, 'The address to send the person to'), ...problems },
});

/** Where EVE redirects people to after a login. */
export const callback = (path: string) =>
  createRoute({
    method: 'get',
    path,
    summary:
      'Where EVE redirects to after a login: a page, or JSON. Needs no token: the state authenticates it',
    security: [],
    request: { query: schemas.callbackQuery },
    responses: {
      200: {
        description: 'The result of the login',
        content: { 'text/html': { schema: z.string() }, 'application/json': { schema: schemas.loginReport } },
      },
      ...problemsOrPage,
    },
  });

export const listTokens = createRoute({
  method: 'get',
  path: '/api/tokens',
  summary: 'Lists the logins, without secrets',
  responses: { 200: json(z.array(schemas.token), 'By name'), ...problems },
});

export const deleteToken = createRoute({
  method: 'delete',
  path: '/api/tokens/{id}',
  summary: 'Deletes a login, here and at EVE. Its assignments stay and are blocked',
  request: { params: schemas.idParam },
  responses: { 204: noContent, ...problems },
});

export const enableToken = createRoute({
  method: 'put',
  path: '/api/tokens/{id}/enable',
  summary: 'Enables or disables a login',
  request: { params: schemas.idParam, body: body(schemas.enableBody, false) },
  responses: { 204: noContent, ...problems },
});

export const listAssignments = createRoute({
  method: 'get',
  path: '/api/assignments',
  summary: 'Lists the assignments: what is collected for whom',
  responses: { 200: json(z.array(schemas.assignment), 'Characters first'), ...problems },
});

export const createAssignment = createRoute({
  method: 'post',
  path: '/api/assignments',
  summary: 'Assigns a collector to a character or corporation. Its first run starts now',
  request: { body: body(schemas.newAssignment, true) },
  responses: { 201: json(schemas.assignment, 'The new assignment'), ...problems },
});

export const updateAssignment = createRoute({
  method: 'patch',
  path: '/api/assignments/{id}',
  summary: 'Enables or disables an assignment, or changes its interval',
  request: { params: schemas.idParam, body: body(schemas.assignmentChange, true) },
  responses: { 200: json(schemas.assignment, 'The changed assignment'), ...problems },
});

export const deleteAssignment = createRoute({
  method: 'delete',
  path: '/api/assignments/{id}',
  summary: 'Deletes an assignment. Collected data stays',
  request: { params: schemas.idParam },
  responses: { 204: noContent, ...problems },
});

export const listRuns = createRoute({
  method: 'get',
  path: '/api/runs',
  summary: 'Lists the newest runs',
  request: { query: schemas.runQuery },
  responses: { 200: json(z.array(schemas.run), 'Newest first'), ...problems },
});

export const startRun = createRoute({
  method: 'post',
  path: '/api/runs',
  summary: 'Starts a run now, or joins the one that is running',
  request: { body: body(schemas.newRun, true) },
  responses: { 202: json(schemas.startedRun, 'The id of its workflow'), ...problems },
});

export const readDescription = createRoute({
  method: 'get',
  path: '/api/openapi.json',
  summary: 'This description',
  responses: { 200: json(z.looseObject({}), 'OpenAPI 3.1'), ...problems },
});
