import { createRandom, mixSeed, pick, word } from '../random.ts';
import type { Universe } from '../esi-rows.ts';

/** Characters and corporations that only the public routes have: they trade, donate and tax. */
export const OTHER_ENTITIES = { characters: 91_000_000, corporations: 98_500_000, count: 10_000 } as const;

/** The first contract dates with the newer shapes of a character and of a corporation. */
const CHARACTER_SINCE = '2026-06-09';

const CORPORATION_SINCE = '2026-07-21';

const isOtherEntity = (id: number, first: number): boolean =>
  id >= first && id < first + OTHER_ENTITIES.count;

/** A name for an id, the same in every run. */
export function nameFor(seed: number, id: number): string {
  const random = createRandom(mixSeed(seed, id));
  return `${word(random)} ${word(random)}`;
}

/** Whether an id is such a character. */
export const isOtherCharacter = (id: number): boolean => isOtherEntity(id, OTHER_ENTITIES.characters);
export const isOtherCorporation = (id: number): boolean => isOtherEntity(id, OTHER_ENTITIES.corporations);

/** The public facts of a character. */
export interface CharacterFacts {
  id: number;
  name: string;
  corporationId: number;
}

/** `/characters/{character_id}` in the shape of a contract date. */
export function characterRow({ id, name, corporationId }: CharacterFacts, seed: number, date: string) {
  const random = createRandom(mixSeed(seed, id));
  const birthday = Date.UTC(2008, 0, 1) + Math.floor(random() * 15 * 365.25 * 86_400) * 1_000; // 15 years
  return {
    ...(date >= CHARACTER_SINCE ? { achievement_score: Math.floor(random() * 10_000) } : {}),
    birthday: `${new Date(birthday).toISOString().slice(0, 19)}Z`,
    bloodline_id: 1 + Math.floor(random() * 8),
    corporation_id: corporationId,
    description: '',
    gender: pick(random, ['male', 'female']),
    name,
    race_id: pick(random, [1, 2, 4, 8]),
    security_status: Math.round((random() * 15 - 10) * 1_000) / 1_000, // -10 to 5
  };
}

export interface CorporationFacts {
  id: number;
  name: string;
  ticker: string;
  ceoId: number;
  members: number;
  homeStation: number;
}

/** `/corporations/{corporation_id}` in the shape of a contract date. */
export function corporationRow(facts: CorporationFacts, date: string) {
  const newer = date >= CORPORATION_SINCE;
  return {
    ceo_id: facts.ceoId,
    creator_id: facts.ceoId,
    date_founded: '2020-02-02T20:20:02Z',
    description: 'Simulated.',
    ...(newer ? { friendly_fire: 'legal' } : {}),
    home_station_id: facts.homeStation,
    member_count: facts.members,
    name: facts.name,
    shares: 1_000, // the number that every corporation starts with
    ...(newer ? { state: 'active' } : {}),
    ...(newer ? { tax_rates: { isk: 0.05, loyalty_point: 0 } } : { tax_rate: 0.05 }),
    ticker: facts.ticker,
    ...(newer ? { type: 'player_owned' } : {}),
    war_eligible: false,
  };
}

type Named = { category: string; id: number; name: string };

/** The name that the universe has for an id. Structures have no entry. */
export function universeName(universe: Universe, id: number): Named | undefined {
  const row = <T extends { name: string }>(category: string, map: ReadonlyMap<number, T>) => {
    const found = map.get(id);
    return found && { category, id, name: found.name };
  };
  const npc = universe.corporations.get(id);
  if (npc !== undefined) return { category: 'corporation', id, name: npc };
  return (
    row('station', universe.stations) ??
    row('solar_system', universe.systems) ??
    row('constellation', universe.constellations) ??
    row('region', universe.regions) ??
    row('inventory_type', universe.types)
  );
}
