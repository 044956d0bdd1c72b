import { createRoute, z } from '@hono/zod-openapi';
import * as schemas from './api-schemas.ts';

/** The API's routes, as openapi.json describes them; what each does stands in api.ts. */

const json = <S extends z.ZodType>(schema: S, description: string) => ({
  content: { 'application/json': { schema } },
  description,
});

const body = <S extends z.ZodType>(schema: S, required: boolean) => ({
  required,
  content: { 'application/json': { schema } },
});

/** Every error: RFC 9457. */
const problems = {
  default: {
    content: { 'application/problem+json': { schema: schemas.problem } },
    description: 'What is wrong',
  },
};

/** Where people come: whatever asks for no JSON gets a page. */
const problemsOrPage = {
  default: {
    ...problems.default,
    content: { ...problems.default.content, 'text/html': { schema: z.string() } },
  },
};

const nothing = { description: 'Done' };

export const readHealth = createRoute({
  method: 'get',
  path: '/health',
  summary: 'Whether everything works; asks for no token',
  security: [],
  responses: {
    200: json(schemas.health, 'It works, or goes on by itself'),
    503: json(schemas.health, 'The database or Temporal is away'),
    ...problems,
  },
});

export const readStatus = createRoute({
  method: 'get',
  path: '/api/status',
  summary: 'What is collected, how fresh, and what is wrong',
  responses: { 200: json(schemas.status, 'Everything that is wanted'), ...problems },
});

export const register = createRoute({
  method: 'post',
  path: '/api/tokens/register',
  summary: 'Begins a login: send the person to the address. The scopes are those that the collectors need',
  request: { body: body(schemas.registerBody, false) },
  responses: { 200: json(schemas.loginBegun, 'Where to send the person'), ...problems },
});

/** The address that EVE sends people back to. */
export const callback = (path: string) =>
  createRoute({
    method: 'get',
    path,
    summary:
      'Where EVE sends people back to; a page for them, or JSON. Asks for no token: the state guards it',
    security: [],
    request: { query: schemas.callbackQuery },
    responses: {
      200: {
        description: 'What came of the login',
        content: { 'text/html': { schema: z.string() }, 'application/json': { schema: schemas.loginReport } },
      },
      ...problemsOrPage,
    },
  });

export const listTokens = createRoute({
  method: 'get',
  path: '/api/tokens',
  summary: 'The logins, without anything secret',
  responses: { 200: json(z.array(schemas.token), 'By name'), ...problems },
});

export const deleteToken = createRoute({
  method: 'delete',
  path: '/api/tokens/{id}',
  summary: 'Ends a login, here and at EVE; what is assigned stays, and rests',
  request: { params: schemas.idParam },
  responses: { 204: nothing, ...problems },
});

export const enableToken = createRoute({
  method: 'put',
  path: '/api/tokens/{id}/enable',
  summary: 'Switches a login on, or off',
  request: { params: schemas.idParam, body: body(schemas.enableBody, false) },
  responses: { 204: nothing, ...problems },
});

export const listAssignments = createRoute({
  method: 'get',
  path: '/api/assignments',
  summary: 'What is collected for whom',
  responses: { 200: json(z.array(schemas.assignment), 'Characters first'), ...problems },
});

export const createAssignment = createRoute({
  method: 'post',
  path: '/api/assignments',
  summary: 'Assigns a collector to an owner; it is due now',
  request: { body: body(schemas.newAssignment, true) },
  responses: { 201: json(schemas.assignment, 'The new assignment'), ...problems },
});

export const updateAssignment = createRoute({
  method: 'patch',
  path: '/api/assignments/{id}',
  summary: 'Switches an assignment on or off, or changes its interval',
  request: { params: schemas.idParam, body: body(schemas.assignmentChange, true) },
  responses: { 200: json(schemas.assignment, 'The changed assignment'), ...problems },
});

export const deleteAssignment = createRoute({
  method: 'delete',
  path: '/api/assignments/{id}',
  summary: 'Ends an assignment; what was collected stays',
  request: { params: schemas.idParam },
  responses: { 204: nothing, ...problems },
});

export const listRuns = createRoute({
  method: 'get',
  path: '/api/runs',
  summary: 'The newest runs',
  request: { query: schemas.runQuery },
  responses: { 200: json(z.array(schemas.run), 'Newest first'), ...problems },
});

export const startRun = createRoute({
  method: 'post',
  path: '/api/runs',
  summary: 'Collects now, or joins the run under way',
  request: { body: body(schemas.newRun, true) },
  responses: { 202: json(schemas.startedRun, 'The workflow that does it'), ...problems },
});

export const readDescription = createRoute({
  method: 'get',
  path: '/api/openapi.json',
  summary: 'This description',
  responses: { 200: json(z.looseObject({}), 'OpenAPI 3.1'), ...problems },
});
