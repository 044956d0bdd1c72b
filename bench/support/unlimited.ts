import type { RateLimiter } from '../../src/esi/limits/admission.ts';

/** Lets everything through at once: what a sweep costs without any budget. */
export const unlimited: RateLimiter = {
  admit: async () => ({ complete: () => undefined, cancel: () => undefined }),
  close: async () => undefined,
};
