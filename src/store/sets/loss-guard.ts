import type { PublishPlan } from './publish-plan.ts';
import type { PublishedSnapshot } from './published-snapshots.ts';

/**
 * Why the loss of `absent` of `before` rows is suspect, or undefined. A loss is accepted when a second, later snapshot
 * shows it too; a snapshot that lacks as many rows again is suspect anew.
 */
export function suspectLoss(
  { before, absent }: { readonly before: number; readonly absent: number },
  plan: Pick<PublishPlan, 'lossGuard' | 'rows' | 'at'>,
  previous: PublishedSnapshot | undefined,
): string | undefined {
  const { minRows, minRowsForEmpty, share } = plan.lossGuard;
  const isEmpty = absent === before && before >= minRowsForEmpty;
  if (!isEmpty && (before < minRows || absent < before * share)) return undefined;
  const suspect = previous?.suspect;
  if (suspect && suspect.lastModified < plan.at && plan.rows >= suspect.rows * share) return undefined;
  return `${absent} of ${before} rows are missing; the next snapshot has to confirm that.`;
}
