import { log } from '@temporalio/workflow';
import { esi, store } from './activity-proxies.ts';

export interface MaintainSummary {
  readonly dropped: readonly string[];
  /** Differences between ESI's description and the shipped limits; null when it was not due. */
  readonly drifts: number | null;
}

/** Housekeeping: partitions made ahead, retention, and once a day a look at ESI's own description. */
export async function maintain(): Promise<MaintainSummary> {
  const { dropped } = await store.maintain();
  let drifts: number | null = null;
  try {
    drifts = (await esi.checkLimits())?.drifts ?? null;
  } catch (error) {
    log.warn("ESI's description could not be read today", { error: String(error) });
  }
  return { dropped, drifts };
}
