import type { RateLimiter } from '../../src/esi/limits/admission.ts';

/** Admits every request at once, to measure what a read costs without a rate limiter. */
export const unlimited: RateLimiter = {
  admit: async () => ({ complete: () => undefined, cancel: () => undefined }),
  close: async () => undefined,
};
