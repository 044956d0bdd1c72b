import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import type { z } from 'zod';
import { validateRows } from '../../src/engine/run/validate-rows.ts';
import { namedResources } from './resources.ts';

/** Names in ESI's answers, by column, of fields that may be absent. */
function optionalFields(resource: (typeof namedResources)[number][1]): string[] {
  const shape = resource.row.shape as Record<string, z.ZodType>;
  const names = resource.fields as Record<string, string> | undefined;
  return Object.entries(shape).flatMap(([column, field]) =>
    field.safeParse(undefined).success ? [names?.[column] ?? column] : [],
  );
}

const lists = namedResources.filter(([, { rows }]) => rows === undefined);

test.each(lists)(
  'a row of %s whose optional fields are null, empty or 0 is the row without them',
  async (name, resource) => {
    const file = path.join(import.meta.dirname, 'answers', `${name}.json`);
    const answer = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>[];
    const optional = optionalFields(resource);
    const read = (blank: unknown, fields = optional) => {
      const patch = Object.fromEntries(fields.map((field) => [field, blank]));
      return validateRows(
        resource,
        answer.map((row) => ({ ...row, ...patch })),
      );
    };
    const without = await read(undefined);
    expect(without.rejected).toEqual([]);
    for (const blank of [null, '', {}]) expect(await read(blank)).toEqual(without);
    const ids = optional.filter((field) => field.endsWith('_id'));
    expect(await read(0, ids)).toEqual(await read(undefined, ids));
  },
);
