/** Milliseconds of work after which other work has its turn. */
const SLICE = 20;

/** Milliseconds. A longer turn, which a large answer takes, is followed by a pause as long, in which others are served. */
const LONG_TURN = 2 * SLICE;

let lastTurn: Promise<unknown> = Promise.resolve();

const nextIteration = () => new Promise((resolve) => setImmediate(resolve));

/**
 * Runs work that takes long in a turn of its own: the event loop does one such work per iteration, whoever asks for it, so
 * that the process answers meanwhile.
 */
export function inTurn<T>(work: () => T): Promise<T> {
  let took = 0;
  const turn = lastTurn.then(nextIteration).then(() => {
    const began = performance.now();
    try {
      return work();
    } finally {
      took = performance.now() - began;
    }
  });
  const rest = () => (took > LONG_TURN ? new Promise((resolve) => setTimeout(resolve, took)) : undefined);
  lastTurn = turn.then(rest, rest);
  return turn;
}

/** Works through items in turns of 20 ms. */
export async function inSlices<T>(items: Iterable<T>, work: (item: T) => void): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const workUntil = (end: number): boolean => {
    do {
      const next = iterator.next();
      if (next.done) return true;
      work(next.value);
    } while (performance.now() < end);
    return false;
  };
  while (!(await inTurn(() => workUntil(performance.now() + SLICE))));
}
