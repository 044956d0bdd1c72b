import { store } from './activities.ts';

/** Housekeeping of the database: partitions made ahead, retention. */
export async function maintain(): Promise<{ dropped: string[] }> {
  return store.maintain();
}
