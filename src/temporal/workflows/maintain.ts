import { log } from '@temporalio/workflow';
import { esi, store } from './activity-proxies.ts';

/** What the housekeeping did. */
export interface MaintainSummary {
  /** Partitions that were dropped. */
  readonly dropped: readonly string[];
  /** Differences between ESI's description and the built-in limits; null when the check was not due. */
  readonly drifts: number | null;
}

/** Housekeeping: partitions of the coming months, retention, and once a day the check of ESI's own description. */
export async function maintain(): Promise<MaintainSummary> {
  const { dropped } = await store.maintain();
  let drifts: number | null = null;
  try {
    drifts = (await esi.checkEsiLimits())?.drifts ?? null;
  } catch (error) {
    log.warn("ESI's description could not be read today", { error: String(error) });
  }
  return { dropped, drifts };
}
