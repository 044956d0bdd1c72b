import { packJson, type Body } from '../packed-body.ts';
import type { Call } from '../esi-call.ts';
import { errorContent, type Content, type RouteContext } from '../route-content.ts';
import type { RowSet } from '../row-set.ts';
import { mutateRows, type RowSource } from '../serve-pages.ts';
import type { OwnerSnapshotKind } from './owners.ts';
import type { CachedSnapshot } from './snapshot-cache.ts';

/** The key of a snapshot, for example `90000001/journal/2`. */
export interface Key {
  ownerId: number;
  what: OwnerSnapshotKind;
  /** A division, or another variant. */
  part?: number | string;
}

const textOf = ({ ownerId, what, part }: Key): string =>
  `${ownerId}/${what}${part === undefined ? '' : `/${part}`}`;

/** The source of an owner's rows. */
export function rowSource<T>(
  { owners }: RouteContext,
  key: Key,
  seconds: number,
  size: number | undefined,
  make: () => RowSet<T>,
): RowSource<T> {
  const text = textOf(key);
  return {
    key: text,
    ...(size === undefined ? {} : { size }),
    takeSnapshot: () => owners.takeSnapshots(key.ownerId, key.what),
    read: () => servedRows(text, owners.snapshots.read(text, seconds, make)),
  };
}

/** A section that was packed for the previous snapshot and has not changed. */
function unchanged<T>(
  { value, before }: CachedSnapshot<RowSet<T>>,
  from: number,
  to: number,
): Body | undefined {
  const body = before?.bodies.get(`${from}-${to}`);
  return body && value.same?.(before?.value, from, to) ? body : undefined;
}

/** A snapshot with its packed sections. */
function servedRows<T>(key: string, snapshot: CachedSnapshot<RowSet<T>>) {
  const { value, lastModified, expires, bodies } = snapshot;
  return {
    rows: value,
    lastModified,
    expires,
    version: `${key}.${snapshot.version}`,
    body: (from: number, to: number) => {
      const name = `${from}-${to}`;
      const body = bodies.get(name) ?? unchanged(snapshot, from, to) ?? packJson(value.slice(from, to));
      bodies.set(name, body);
      return body;
    },
  };
}

/** Serves a single cached value: an object, or a bare number. */
export function serveValue(
  context: RouteContext,
  call: Call,
  key: Key,
  seconds: number,
  make: () => unknown,
): Content {
  const text = textOf(key);
  const snapshot = context.owners.snapshots.read(text, seconds, make);
  const changedRows = mutateRows(context, call, [snapshot.value]);
  const body = snapshot.bodies.get('') ?? packJson(snapshot.value);
  snapshot.bodies.set('', body);
  const { lastModified, expires } = snapshot;
  return {
    status: 200,
    body: changedRows ? packJson(changedRows[0] ?? null) : body,
    lastModified,
    expires,
    version: `${text}.${snapshot.version}`,
    damaged: changedRows !== undefined,
  };
}

const MAX_IDS = 1_000;

/** The ids of a POST body; undefined unless they are 1 to 1,000 different whole numbers. */
function idsOf(call: Call): number[] | undefined {
  let list: unknown;
  try {
    list = JSON.parse(call.body);
  } catch {
    return undefined;
  }
  if (!Array.isArray(list) || list.length < 1 || list.length > MAX_IDS) return undefined;
  const ids = list.filter((id): id is number => Number.isSafeInteger(id));
  return ids.length === list.length && new Set(ids).size === ids.length ? ids : undefined;
}

/** Answers a list of ids with one row each, or refuses the whole batch. The answer is not cached. */
export function serveIds(
  context: RouteContext,
  call: Call,
  refusal: string,
  rowsOf: (ids: readonly number[]) => readonly unknown[] | undefined,
): Content {
  const ids = idsOf(call);
  if (!ids) return errorContent(400, 'ids: not 1 to 1000 unique ids');
  const rows = rowsOf(ids);
  if (!rows) return errorContent(404, refusal);
  const changedRows = mutateRows(context, call, rows);
  return {
    status: 200,
    body: packJson(changedRows ?? rows),
    version: '',
    damaged: changedRows !== undefined,
  };
}
