import { type BucketView, viewBucket } from '../../esi/limits/bucket-view.ts';
import type { StoredState } from '../../esi/limits/token-bucket.ts';
import { readBuckets } from '../../store/limits/rate-limit-store.ts';
import { type PrintingCommand, succeeded, withDatabase } from '../command.ts';
import { formatTable } from '../table.ts';

/** Shows every rate limit: limit, used, free, when the next tokens become free, and who spent what. */
export const budgetCommand: PrintingCommand = (config, log) =>
  withDatabase(config, log, async ({ db }) => {
    const buckets = (await readBuckets<StoredState>(db)).map((row) => viewBucket(row));
    const rows = buckets.map((bucket) => [
      bucket.bucket,
      `${bucket.limit.toLocaleString('en')} in ${bucket.windowSeconds} s`,
      bucket.used,
      bucket.leased,
      bucket.externalUsage,
      bucket.free,
      formatNextTokens(bucket),
      Object.entries(bucket.spenders)
        .map(([worker, tokens]) => `${worker} ${tokens.toLocaleString('en')}`)
        .join(', '),
    ]);
    const headings = ['bucket', 'limit', 'used', 'leased', 'others', 'free', '', 'spent by'];
    return succeeded(formatTable(headings, rows), buckets);
  });

function formatNextTokens({ blocked, nextAt }: BucketView): string {
  if (blocked !== undefined) return `blocked: ${blocked}`;
  return nextAt === undefined ? '' : `more at ${new Date(nextAt).toISOString().slice(11, 19)} UTC`;
}
