import { log } from '@temporalio/workflow';
import { esiOnce } from './activity-proxies.ts';

/** Workflow id, so that it runs once at a time. */
export const AFFILIATIONS = 'affiliations';

/** Requests the corporations of characters. What cannot be requested now is requested a minute later. */
export async function affiliations(): Promise<{ requested: number }> {
  try {
    return { requested: await esiOnce.refreshAffiliations() };
  } catch (error) {
    log.warn('corporations of characters could not be requested; the next minute tries again', {
      error: String(error),
    });
    return { requested: 0 };
  }
}
