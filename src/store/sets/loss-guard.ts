import type { MergeContext } from './merge-context.ts';
import { countOf } from './preconditions.ts';
import { isConfirmed } from './published-snapshots.ts';
import { isPublished } from './snapshot-spec.ts';

/** Rows that a snapshot lacks. */
interface Loss {
  readonly absent: number;
  /** Rows that were published before. */
  readonly before: number;
}

/**
 * Why the loss of rows is suspect, or undefined. A loss is accepted when a later snapshot shows it too; a snapshot that
 * lacks as many rows again is suspect anew.
 */
export async function suspectLoss(context: MergeContext, loss: Loss): Promise<string | undefined> {
  const { plan, previous } = context;
  const lost = isTooMuch(context, loss) ? `${loss.absent} of ${loss.before}` : await findLossWithin(context);
  if (lost === undefined) return undefined;
  const suspect = previous?.suspect;
  const isAlike =
    suspect !== undefined &&
    (suspect.isAccepted || plan.rows >= suspect.rows * plan.lossGuard.share) &&
    isConfirmed('rows-missing', plan.at, previous);
  return isAlike ? undefined : `${lost} rows are missing; the next snapshot has to confirm that.`;
}

const isTooMuch = ({ plan }: MergeContext, { absent, before }: Loss): boolean =>
  before >= plan.lossGuard.minRows && absent >= before * plan.lossGuard.share;

/** A loss among the rows with one value of a column, in words: half a book may be missing where one side is. */
async function findLossWithin(context: MergeContext): Promise<string | undefined> {
  const { client, spec, plan } = context;
  const { within, minRows, share } = plan.lossGuard;
  if (within === undefined) return undefined;
  const { rows } = await client.query<{ value: unknown; absent: number }>(
    `SELECT "${within}" AS value, count(*) AS absent FROM diff WHERE absent GROUP BY 1 HAVING count(*) >= $1`,
    [minRows * share],
  );
  for (const { value, absent } of rows) {
    // No more rows are counted than make the loss plausible.
    const plausible = Math.floor(absent / share) + 1;
    const before = await countOf(
      client,
      `SELECT count(*) AS rows FROM (SELECT FROM ${spec.table} b
        WHERE ${isPublished(spec, 'b')} AND b."${within}" = $1 LIMIT $2) g`,
      [value, plausible],
    );
    if (isTooMuch(context, { absent, before })) return `${absent} of ${before} (${within}: ${String(value)})`;
  }
  return undefined;
}
