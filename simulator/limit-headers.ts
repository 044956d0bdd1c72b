import type { LimitHeaders } from './faults.ts';

/** The values that replace a header's value, by kind of distortion. */
const DISTORTIONS: Record<Exclude<LimitHeaders, 'missing'>, (name: string, value: string) => string> = {
  wrong: (name) => (name.endsWith('Limit') ? 'many/soon' : 'nonsense'),
  negative: (name, value) => (name.endsWith('Group') ? value : `-${value.replace(/^0/, '1')}`),
  huge: (name, value) => {
    const number = '9'.repeat(30); // beyond every integer of 64 bits
    if (name.endsWith('Group')) return value;
    return name.endsWith('Limit') ? `${number}/${number}h` : number;
  },
};

/** The headers of both rate limits, as the fault distorts them. */
export function distortHeaders(
  headers: Record<string, string>,
  how: LimitHeaders | undefined,
): Record<string, string> {
  if (how === undefined) return headers;
  if (how === 'missing') return {};
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, DISTORTIONS[how](name, value)]),
  );
}
