import { compatibilityDate, type Call } from '../esi-call.ts';
import { errorContent, type Resolve } from '../route-content.ts';
import { characterRow, corporationRow } from './public-entities.ts';
import { serveIds, serveValue } from './serve-owner-data.ts';
import { SCOPES } from './owner-scopes.ts';
import type { Route } from '../route.ts';

/** The contract date of callers that state none. */
const OLDEST = '2020-01-01';

/** ESI's cache times, in seconds. */
const DAY = 86_400;

const HOUR = 3_600;

const dateOf = (call: Call): string => compatibilityDate(call) ?? OLDEST;

const character: Resolve = (context, call, id) => {
  const { owners, world } = context;
  const found = owners.registry.character(id);
  if (!found) return errorContent(404, 'Character not found');
  const date = dateOf(call);
  return serveValue(context, call, { ownerId: id, what: 'profile', part: date }, DAY, () =>
    characterRow(owners.registry.character(id) ?? found, world.seed, date),
  );
};

const corporation: Resolve = (context, call, id) => {
  const { owners } = context;
  const found = owners.registry.corporation(id);
  if (!found) return errorContent(404, 'Corporation not found');
  const date = dateOf(call);
  return serveValue(context, call, { ownerId: id, what: 'profile', part: date }, HOUR, () => {
    const members = owners.registry.membersOf(id);
    const facts = {
      ceoId: members[0]?.id ?? 1,
      members: members.length,
      homeStation: owners.data.catalog.stations[0] ?? 0,
    };
    return corporationRow({ ...found, ...facts }, date);
  });
};

const affiliation: Resolve = (context, call) =>
  serveIds(context, call, 'Invalid character ID', (ids) => {
    const found = ids.map((id) => context.owners.registry.character(id));
    if (found.includes(undefined)) return undefined;
    return found.map((row) => ({ character_id: row?.id, corporation_id: row?.corporationId }));
  });

const names: Resolve = (context, call) =>
  serveIds(context, call, 'Ensure all IDs are valid before resolving.', (ids) => {
    const found = ids.map((id) => context.owners.registry.named(id));
    return found.includes(undefined) ? undefined : found;
  });

const structures: Resolve = (context, call) =>
  serveValue(context, call, { ownerId: 0, what: 'profile', part: 'structures' }, HOUR, () => {
    const all = [...context.owners.registry.structures.values()];
    return all.filter(({ acl }) => acl === 'public').map(({ id }) => id);
  });

/** All player structures have higher ids. */
const FIRST_UPWELL = 1_000_000_000_000;

const structure: Resolve = (context, call, id) => {
  const { owners } = context;
  const found = owners.registry.structures.get(id);
  if (!found && id < FIRST_UPWELL) return errorContent(404, 'Structure not found');
  if (!found || !owners.registry.isVisibleTo(found, call.access?.characterId ?? 0))
    return errorContent(403, 'Forbidden');
  return serveValue(context, call, { ownerId: id, what: 'profile' }, HOUR, () => ({
    name: found.name,
    owner_id: found.ownerId,
    position: { x: -343_276_281_596.454_96, y: -20_543_716_321.369_385, z: 280_155_321_296.405_33 }, // with all digits
    solar_system_id: found.systemId,
    type_id: found.typeId,
  }));
};

/** The public routes of characters and corporations, and the route of structures for characters with access. */
export const PUBLIC_ROUTES: readonly Route[] = [
  {
    template: '/characters/{character_id}',
    cache: ({ ownerCacheSeconds }) => Math.min(DAY, ownerCacheSeconds),
    resolve: character,
  },
  {
    template: '/corporations/{corporation_id}',
    cache: ({ ownerCacheSeconds }) => Math.min(HOUR, ownerCacheSeconds),
    resolve: corporation,
  },
  { template: '/characters/affiliation', method: 'POST', resolve: affiliation },
  { template: '/universe/names', method: 'POST', resolve: names },
  {
    template: '/universe/structures',
    cache: ({ ownerCacheSeconds }) => Math.min(HOUR, ownerCacheSeconds),
    resolve: structures,
  },
  {
    template: '/universe/structures/{structure_id}',
    scope: SCOPES.structures,
    cache: ({ ownerCacheSeconds }) => Math.min(HOUR, ownerCacheSeconds),
    resolve: structure,
  },
];
