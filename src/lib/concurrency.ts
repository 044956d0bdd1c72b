/**
 * Waits for all of `work`, also when one of it fails, and gives the results: nothing of a step goes on behind its back
 * once the step has ended. Throws the first failure.
 */
export async function allSettledOrThrow<T extends readonly unknown[] | []>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
