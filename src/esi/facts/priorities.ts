/** Priorities as in Temporal: 1 goes first. */
export const INTERACTIVE = 1;
export const NORMAL_PRIORITY = 3;

/** From this priority on, work is bulk that can wait and yields to current data. */
export const LOW_PRIORITY = 4;
