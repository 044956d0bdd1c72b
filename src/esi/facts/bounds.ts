import { z } from 'zod';

/** All ISK in the game is some 1e15. The sum of three amounts of this size still fits NUMERIC(20,2). */
const MAX_ISK = 3e17;

/** An amount of ISK. */
export const isk = z.number().min(-MAX_ISK).max(MAX_ISK);

/** The range of PostgreSQL's INTEGER. */
export const int4 = z
  .int()
  .min(-(2 ** 31))
  .max(2 ** 31 - 1);

/**
 * A date-time as ESI writes it. The length is bounded because zod accepts fractions of any length, and PostgreSQL does
 * not.
 */
export const date = z.iso.datetime().startsWith('20', 'no date of this century').max(40);

/** An id of something that exists: ESI's ids start at 1. */
export const id = z.int().positive();

/** Days. Players' orders last up to 90, those of NPC corporations and of the oldest player corporations up to 365. */
export const orderDuration = z.int().nonnegative().max(365);

/** A text enum of ESI. It is not a closed list, because ESI adds values without notice. */
export const enumText = z.string().min(1).max(50);
