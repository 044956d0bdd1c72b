import { z } from 'zod';

/** All ISK in the game is some 1e15. The sum of three amounts of this size still fits NUMERIC(20,2). */
const MAX_ISK = 3e17;

/**
 * A number that need not be exact, such as a price or a coordinate. ESI writes large ones without a fraction, and they are read
 * as texts, see ExactInt.
 */
export const double = (schema: z.ZodNumber = z.number()) =>
  z.preprocess(
    (value) => (typeof value === 'string' && /^-?\d{16,}$/.test(value) ? Number(value) : value),
    schema,
  );

/** An amount of ISK. */
export const isk = double(z.number().min(-MAX_ISK).max(MAX_ISK));

/** An amount of ISK that is not negative. */
export const price = double(z.number().nonnegative().max(MAX_ISK));

/** A place in space, in metres. */
export const position = z.object({ x: double(), y: double(), z: double() });

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

/** The range of PostgreSQL's BIGINT. */
const MIN_INT8 = -(2n ** 63n);
const MAX_INT8 = 2n ** 63n - 1n;

const OUT_OF_RANGE = 'not an integer of the expected range';

/** A schema of an integer of 64 bits from `least` on, see ExactInt. */
function int8From(least: bigint) {
  const isInRange = (digits: string) => {
    const value = BigInt(digits);
    return value >= least && value <= MAX_INT8;
  };
  const large = z
    .string()
    .regex(/^-?\d{16,19}$/, { abort: true, message: OUT_OF_RANGE })
    .refine(isInRange, OUT_OF_RANGE);
  return z.union([z.int().min(Number(least)), large], OUT_OF_RANGE);
}

/** An integer of 64 bits. */
export const int8 = int8From(MIN_INT8);

/** An integer of 64 bits that is not negative: a quantity, or the id of a type, which starts at 0. */
export const count = int8From(0n);

/** An id of something that exists: ESI's ids start at 1. */
export const id = int8From(1n);

/** Days. Players' orders last up to 90, those of NPC corporations and of the oldest player corporations up to 365. */
export const orderDuration = z.int().nonnegative().max(365);

/** A text enum of ESI. It is not a closed list, because ESI adds values without notice. */
export const enumText = z.string().min(1).max(50);
