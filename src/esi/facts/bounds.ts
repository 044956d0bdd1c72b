import { z } from 'zod';

/** All ISK in the game is some 1e15; and the sum of three such sizes still fits NUMERIC(20,2). */
const MOST_ISK = 3e17;

/** An amount of ISK. */
export const isk = z.number().min(-MOST_ISK).max(MOST_ISK);

/** What an INTEGER of Postgres holds. */
export const int4 = z
  .int()
  .min(-(2 ** 31))
  .max(2 ** 31 - 1);

/** A moment as ESI writes it. Longer texts with endless fractions are dates to zod, and none to Postgres. */
export const date = z.iso.datetime().startsWith('20', 'no date of this century').max(40);
