import { distance } from 'fastest-levenshtein';

/** Settings that begin with one of these are ours: an unknown one is a typing error and is refused. */
const PREFIXES = [
  'DATABASE_',
  'METRICS_',
  'ESI_',
  'SSO_',
  'SDE_',
  'R2Z2_',
  'COLLECT_',
  'MARKET_',
  'UNIVERSE_',
  'INDUSTRY_',
  'RETENTION_',
];

/** Settings of Temporal's own programs whose names resemble ours. */
const FOREIGN = /^TEMPORAL_(CLI_(?!PATH)|TLS_\w+_DATA$)/;

/** The nearest setting, where its name differs by one or two letters. */
const closestOf = (name: string, known: readonly string[]) =>
  known
    .filter((one) => distance(one, name) <= 2)
    .toSorted((a, b) => distance(a, name) - distance(b, name))
    .at(0);

/** The setting that a name means which lacks its underscores or is not in capitals: LOGLEVEL, log_level. */
const sameLetters = (name: string, known: readonly string[]) => {
  const letters = (text: string) => text.replaceAll('_', '').toUpperCase();
  return known.find((one) => letters(one) === letters(name));
};

/** Other programs use some of our prefixes (HTTP_PROXY, OTEL_SERVICE_NAME): there only a name close to ours counts. */
function isMisspelled(name: string, known: readonly string[]): boolean {
  if (PREFIXES.some((prefix) => name.startsWith(prefix)) || sameLetters(name, known)) return true;
  const [firstWord] = name.split('_', 1);
  return !FOREIGN.test(name) && (closestOf(name, known)?.startsWith(`${firstWord}_`) ?? false);
}

/** A line for each of the names that is meant to be a setting of ours and is none. */
export function describeUnknownSettings(names: readonly string[], known: readonly string[]): string[] {
  const unknown = names.filter((name) => !known.includes(name) && isMisspelled(name, known));
  return unknown.map((name) => {
    const closest = sameLetters(name, known) ?? closestOf(name, known);
    const advice = closest ? `Did you mean ${closest}?` : 'See docs/settings.md for all settings.';
    return `Unknown setting ${name}. ${advice}`;
  });
}
