import { expect, test } from '@jest/globals';
import { testApp } from './support.ts';

interface Operation {
  readonly parameters?: readonly unknown[];
  readonly responses: Record<string, unknown>;
}

interface Description {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, unknown> };
}

const app = testApp();

const description = async () => {
  const answer = await app.request('/api/openapi.json');
  expect(answer.status).toBe(200);
  return (await answer.json()) as Description;
};

test('openapi.json describes every route and its errors', async () => {
  const { openapi, paths, components } = await description();
  expect(openapi).toBe('3.1.0');
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((m) => `${m} ${path}`),
  );
  const forPeople = ['get /', 'get /style.css', 'post /login'];
  const routes = app.routes
    .filter(({ method, path }) => method !== 'ALL' && !path.includes('*'))
    .map(({ method, path }) => `${method.toLowerCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    .filter((route) => !forPeople.includes(route));
  expect(described.toSorted()).toEqual([...new Set(routes)].toSorted());
  for (const route of [
    'get /callback',
    'post /api/tokens/register',
    'put /api/tokens/{id}/enable',
    'get /api/runs',
  ])
    expect(described).toContain(route);
  for (const methods of Object.values(paths))
    for (const { responses } of Object.values(methods)) expect(responses).toHaveProperty('default');
  expect(Object.keys(components.schemas)).toEqual(
    expect.arrayContaining(['Problem', 'Token', 'Assignment', 'Run']),
  );
});

test('openapi.json describes bounds, defaults and content types', async () => {
  const { paths, components } = await description();
  const limit = { name: 'limit', schema: { type: 'integer', minimum: 1, maximum: 1_000, default: 50 } };
  expect(paths['/api/runs']!['get']!.parameters?.[2]).toMatchObject(limit);
  const intervalMinutes = { type: 'integer', minimum: 1, maximum: 44_640 };
  expect(components.schemas).toMatchObject({
    NewAssignment: { properties: { intervalMinutes } },
    AssignmentChange: { properties: { intervalMinutes }, minProperties: 1 },
  });
  for (const path of ['/callback', '/api/tokens/callback'])
    expect(paths[path]!['get']!.responses['default']).toMatchObject({
      content: { 'text/html': {}, 'application/problem+json': {} },
    });
});
