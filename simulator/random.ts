/** A seeded source of numbers in [0, 1). The same seed gives the same numbers. */
export type Random = () => number;

/** Mulberry32: 32 bits of state, fast, good enough for test data. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0; // the generator's own increment
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Mixes two numbers into one seed, so that each region has a stream of its own. */
export function mixSeed(seed: number, salt: number): number {
  return (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(salt, 0xc2b2ae35)) >>> 0; // murmur constants
}

/** A whole number from `low` to `high`, both included. */
export function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** One element of a list that is not empty. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

/** One value, chosen by weight. */
export function weighted<T>(random: Random, table: readonly (readonly [T, number])[]): T {
  let rest = random() * table.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [value, weight] of table) {
    rest -= weight;
    if (rest < 0) return value;
  }
  return (table.at(-1) as readonly [T, number])[0];
}

const SYLLABLES = 'ka ri ven tor al os mi dun sha pel ur ane ti gor es la bri no vek ost um ya'.split(' ');

/** An invented word with a capital letter. */
export function word(random: Random): string {
  let text = '';
  for (let left = between(random, 2, 3); left > 0; left--) text += pick(random, SYLLABLES);
  return (text[0] as string).toUpperCase() + text.slice(1);
}

/** A long invented text to cut descriptions from, with CRLF and markup like the real ones. */
export function prose(random: Random, length: number): string {
  const parts: string[] = [];
  for (let size = 0; size < length;) {
    const part =
      random() < 0.02 ? '.\r\n\r\n' : random() < 0.01 ? ' <b>note</b> ' : `${word(random).toLowerCase()} `;
    parts.push(part);
    size += part.length;
  }
  return parts.join('').slice(0, length);
}
