import { HOUR } from '../lib/duration.ts';
import type { SsoAnswer } from './sso-errors.ts';

/** Whether the endpoint fails: a failure within the last hour, and no success since. */
export interface Failures {
  readonly observe: (answer: Promise<SsoAnswer>) => Promise<SsoAnswer>;
  readonly isFailing: () => boolean;
}

export function createFailures(now: () => number): Failures {
  let failedAt: number | undefined;
  return {
    async observe(answer) {
      try {
        const { status } = await answer;
        if (status === 200) failedAt = undefined;
        else if (status >= 500) failedAt = now();
      } catch (error) {
        failedAt = now();
        throw error;
      }
      return answer;
    },
    isFailing: () => failedAt !== undefined && now() - failedAt < HOUR,
  };
}
