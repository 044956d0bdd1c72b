/** Priorities as Temporal counts them: 1 goes first. */
export const INTERACTIVE = 1;
export const NORMAL_PRIORITY = 3;

/** Work from here on is bulk that can wait, and gives way to current data. */
export const LOW_PRIORITY = 4;
