import { log } from '@temporalio/workflow';
import { esiOnce } from './activity-proxies.ts';

/** Id of the one run at a time. */
export const AFFILIATIONS = 'affiliations';

/** Looks whose members the characters are. What cannot be asked now is asked for a minute later. */
export async function affiliations(): Promise<{ asked: number }> {
  try {
    return { asked: await esiOnce.refreshAffiliations() };
  } catch (error) {
    log.warn('corporations of characters could not be looked up; that comes again', { error: String(error) });
    return { asked: 0 };
  }
}
