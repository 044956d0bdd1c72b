import type { AnyResource } from '../../collectors/define.ts';
import { collectors } from '../../collectors/index.ts';
import { stripUnstorable } from '../../lib/text.ts';
import {
  readUnknownFields,
  storeUnknownFields,
  type UnknownField,
} from '../../store/sets/unknown-field-store.ts';
import type { EngineContext } from '../engine-context.ts';

/** Names of one answer. More are no new fields but another kind of answer. */
const MAX_FIELDS = 10;

/** Characters of a name. ESI's longest has 30. */
const MAX_NAME_LENGTH = 100;

const knownFields = new WeakMap<AnyResource, ReadonlySet<string>>();

/** The fields that the resource reads, under ESI's names. */
function knownFieldsOf(resource: AnyResource): ReadonlySet<string> {
  let known = knownFields.get(resource);
  if (!known) {
    const names = (resource.fields ?? {}) as Record<string, string>;
    const columns = Object.keys(resource.row.shape as object);
    known = new Set([...columns, ...Object.values(names), ...(resource.outerFields ?? [])]);
    knownFields.set(resource, known);
  }
  return known;
}

/** Names of fields that the resource does not know in an answer or its rows, at most ten. */
export function findUnknownFields(resource: AnyResource, values: readonly unknown[]): readonly string[] {
  const known = knownFieldsOf(resource);
  const found = new Set<string>();
  for (const value of values) {
    if (typeof value !== 'object' || value === null) continue;
    for (const field in value) {
      if (found.size >= MAX_FIELDS) break;
      if (!known.has(field)) found.add(field);
    }
  }
  return [...found].map((field) => stripUnstorable(field.slice(0, MAX_NAME_LENGTH)));
}

/** Stores unknown fields and logs those that are new, so that each is told once. */
export async function recordUnknownFields(
  engine: Pick<EngineContext, 'db' | 'clock' | 'log'>,
  { route }: AnyResource,
  fields: readonly string[],
): Promise<void> {
  if (fields.length === 0) return;
  const now = new Date(engine.clock.now());
  const fresh = await storeUnknownFields(engine.db.pool, route, fields, now);
  if (fresh.length > 0)
    engine.log.warn({ route, fields: fresh }, 'ESI answers with fields that are not collected');
}

/** The stored fields that this release does not know either. */
export async function listUnknownFields({ db }: Pick<EngineContext, 'db'>): Promise<UnknownField[]> {
  const resources: AnyResource[] = collectors.flatMap((collector): readonly AnyResource[] => {
    if ('resources' in collector) return collector.resources;
    return 'route' in collector ? [collector] : [];
  });
  const isKnown = ({ route, field }: UnknownField) =>
    resources.some((resource) => resource.route === route && knownFieldsOf(resource).has(field));
  return (await readUnknownFields(db.pool)).filter((found) => !isKnown(found));
}
