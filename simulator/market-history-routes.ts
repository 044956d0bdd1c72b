import { periodicCacheTimes, DAY_MS, DAILY_UPDATE_MS } from './cache-times.ts';
import { packJson, type Body } from './packed-body.ts';
import { pageCount, pageRows } from './order-book.ts';
import type { Call } from './esi-call.ts';
import {
  errorContent,
  pageNotFound,
  requestedPage,
  type Content,
  type Resolve,
  type RouteContext,
} from './route-content.ts';
import { createRandom, mixSeed, pick } from './random.ts';
import type { World } from './world.ts';

/** ESI's cache time for the list. */
export const TYPES_CACHE_MS = 600_000;

/** Ids in the list that have no history. */
const UNLISTED_TYPES = 5;

interface TypeList {
  start: number;
  ids: readonly number[];
  bodies: Map<number, Body>;
}

/** The lists of types with orders, by world and region. A list is served for ten minutes. */
const lists = new WeakMap<World, Map<number, TypeList>>();

function isKnown(world: World, regionId: number): boolean {
  return world.regions.has(regionId) && !world.isForgotten('regions', regionId);
}

/** Types with orders, and a few that are unpublished or in no market group, as the real list has them. */
function typesWithOrders(world: World, regionId: number): number[] {
  world.takeDueSnapshot(regionId);
  const ids = new Set(world.snapshot(regionId).rows.map((row) => row.type_id));
  if (ids.size === 0) return [];
  const unlisted = [...world.types.values()].filter(
    (row) => !row.published || row.market_group_id === undefined,
  );
  const random = createRandom(mixSeed(world.seed, regionId));
  for (let left = unlisted.length > 0 ? UNLISTED_TYPES : 0; left > 0; left--)
    ids.add(pick(random, unlisted).type_id);
  return [...ids];
}

function listOf(world: World, regionId: number, start: number): TypeList {
  const known = lists.get(world) ?? new Map<number, TypeList>();
  lists.set(world, known);
  let list = known.get(regionId);
  if (list?.start !== start) {
    list = { start, ids: typesWithOrders(world, regionId), bodies: new Map() };
    known.set(regionId, list);
  }
  return list;
}

/** `/markets/{region_id}/types` */
export const marketTypes: Resolve = ({ world, now }, call, regionId) => {
  if (!isKnown(world, regionId)) return errorContent(404, 'Region not found!', String(world.staticVersion));
  const page = requestedPage(call);
  if (page === undefined) return errorContent(400, 'page: not a positive number');
  const times = periodicCacheTimes(now, TYPES_CACHE_MS);
  const start = times.lastModified.getTime();
  const { ids, bodies } = listOf(world, regionId, start);
  const pages = pageCount(ids);
  const version = `types.${regionId}.${start}`;
  if (page > pages) return pageNotFound(pages, version);
  const body = bodies.get(page) ?? packJson(pageRows(ids, page));
  bodies.set(page, body);
  return { status: 200, body, ...times, pages, version };
};

/** Why there is no history; undefined when there is one. */
function refusal(world: World, call: Call, regionId: number): Content | undefined {
  const version = String(world.staticVersion);
  if (!isKnown(world, regionId)) return errorContent(404, 'Region not found!', version);
  if (!world.hasMarket(regionId)) return errorContent(400, 'Region has no market!', version);
  const text = call.query.get('type_id');
  const typeId = Number(text);
  if (text === null || text === '' || !Number.isSafeInteger(typeId))
    return errorContent(400, 'type_id: not a number');
  const row = world.isForgotten('types', typeId) ? undefined : world.types.get(typeId);
  if (!row?.published || row.market_group_id === undefined)
    return errorContent(404, 'Type not found!', version);
  return world.untradable.has(typeId)
    ? errorContent(400, 'Type not tradable on market!', version)
    : undefined;
}

/** Answers kept per world. Callers that request the same few types repeatedly need no more. */
const MAX_HISTORY_BODIES = 100;

/** Packed histories by version. Making the 400 days of one takes 2 ms, most of the time of a request. */
const historyBodies = new WeakMap<World, Map<string, Body>>();

function historyBody(world: World, regionId: number, typeId: number, version: string): Body {
  const bodies = historyBodies.get(world) ?? new Map<string, Body>();
  historyBodies.set(world, bodies);
  const body = bodies.get(version) ?? packJson(world.history(regionId, typeId));
  bodies.set(version, body);
  if (bodies.size > MAX_HISTORY_BODIES) bodies.delete(bodies.keys().next().value!);
  return body;
}

/** `/markets/{region_id}/history` */
export const marketHistory: Resolve = ({ world, now }: RouteContext, call, regionId) => {
  const refused = refusal(world, call, regionId);
  if (refused) return refused;
  const typeId = Number(call.query.get('type_id'));
  const version = `history.${regionId}.${typeId}.${world.histories.version(regionId, typeId)}`;
  const body = historyBody(world, regionId, typeId, version);
  return { status: 200, body, ...periodicCacheTimes(now, DAY_MS, DAILY_UPDATE_MS), version };
};
