import { CronExpressionParser } from 'cron-parser';

/**
 * Whether a text is a cron expression that Temporal accepts: five fields of numbers, lists, ranges and steps, or names of
 * months and days. The parser accepts more (seconds, `L`, `#`, `H`), which Temporal does not.
 */
export function isCron(text: string): boolean {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 5 || !fields.every((field) => /^[\d*,/-]+$|^[a-z]{3}([,-][a-z]{3})*$/i.test(field)))
    return false;
  try {
    CronExpressionParser.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Milliseconds between the next two times of a cron expression (UTC), by which lateness is measured. */
export function cronPeriod(text: string): number {
  const times = CronExpressionParser.parse(text, { tz: 'UTC' });
  const first = times.next().getTime();
  return times.next().getTime() - first;
}
