import type { Headers } from '../classify-status.ts';
import { applyHeaders } from './apply-headers.ts';
import type { Charge } from './charges.ts';
import { type Shortage, type StoredState, TokenBucket } from './token-bucket.ts';

/** A request that is charged to buckets. */
export interface ChargedRequest {
  /** `worker#number` */
  readonly id: string;
  readonly charges: readonly Charge[];
  readonly priority: number;
}

/** A request that ended `agoMs` before the transaction. One that was not sent costs nothing. */
export interface EndedRequest extends ChargedRequest {
  readonly isSent: boolean;
  /** Undefined when no answer came. */
  readonly status?: number | undefined;
  readonly headers?: Headers | undefined;
  readonly agoMs: number;
}

/**
 * One transaction of a process: replaces the reservations of ended requests by their costs, and reserves the worst cost of
 * up to `places` waiting ones, in their order, each in all its buckets or in none. Changes `states`. Returns for each
 * what it lacks, `reserved`, or undefined where there is no place left.
 */
export function exchange(
  states: Map<string, StoredState>,
  now: number,
  ended: readonly EndedRequest[],
  waiting: readonly ChargedRequest[],
  places: number,
): (Shortage | 'reserved' | undefined)[] {
  const buckets = new Map<string, TokenBucket>();
  for (const { bucket, limit } of [...ended, ...waiting].flatMap(({ charges }) => charges))
    if (!buckets.has(bucket)) buckets.set(bucket, new TokenBucket(bucket, states.get(bucket), limit, now));
  const bucketOf = ({ bucket }: Charge) => buckets.get(bucket)!;
  for (const { id, charges, isSent, status, agoMs } of ended)
    for (const charge of charges) bucketOf(charge).complete(id, isSent ? charge.cost(status) : 0, agoMs);
  // After all are completed, because ESI's newest count includes them.
  for (const { charges, status, headers = {}, agoMs } of ended)
    applyHeaders(charges.map(bucketOf), status, headers, agoMs);
  let left = places;
  const outcomes = waiting.map(({ id, charges, priority }) => {
    for (const charge of charges) bucketOf(charge).complete(id, 0, 0); // an earlier attempt may have reserved them
    if (left === 0) return undefined;
    const shortages = charges.flatMap((charge) => bucketOf(charge).shortage(charge.worst, priority) ?? []);
    if (shortages.length > 0) return shortages.toSorted((a, b) => b.retryMs - a.retryMs)[0];
    for (const charge of charges) bucketOf(charge).reserve(id, charge.worst, priority);
    left--;
    return 'reserved';
  });
  for (const { name, state } of buckets.values()) states.set(name, state);
  return outcomes;
}
