import type { Budget } from '../../src/esi/admission.ts';

/** Lets everything through at once: what a sweep costs without any budget. */
export const unlimited: Budget = {
  admit: async () => ({ settle: () => undefined, cancel: () => undefined }),
  close: async () => undefined,
};
