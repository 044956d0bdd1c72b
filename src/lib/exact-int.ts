/**
 * An integer that is exact, whatever its size: a number up to 2^53, beyond that its digits as text. PostgreSQL takes both as
 * BIGINT, and both can be written as JSON.
 */
export type ExactInt = number | string;

/** The integer that a text of digits stands for. */
export function toExactInt(digits: string): ExactInt {
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : digits;
}
