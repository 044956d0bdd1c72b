import { isIPv6 } from 'node:net';
import type { Clock } from '../lib/clock.ts';
import { MINUTE } from '../lib/duration.ts';
import type { Log } from '../lib/log.ts';

/** A person mistypes a token a few times. At this pace a token of 16 letters takes longer than the universe is old. */
const MAX_GUESSES = 20;
const WINDOW = MINUTE;

/** More addresses than guess at once: some megabytes. The oldest are forgotten first. */
const MAX_ADDRESSES = 10_000;

interface Guesses {
  count: number;
  readonly since: number;
}

/** Counts wrong tokens by the address that sent them. */
export interface GuessLimit {
  /** Milliseconds until the address may try again; undefined when it may now. */
  readonly retryAfter: (address: string) => number | undefined;
  /** Counts a wrong token. */
  readonly record: (address: string) => void;
}

/** The network of one customer: an IPv4 address, or the first half of an IPv6 address, as whoever has one has all of it. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [left = [], right = []] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** Allows 20 wrong tokens a minute from an address, and warns once when it sends more. */
export function createGuessLimit(clock: Clock, log: Log): GuessLimit {
  const networks = new Map<string, Guesses>();
  const current = (network: string): Guesses | undefined => {
    const guesses = networks.get(network);
    return guesses && clock.now() - guesses.since < WINDOW ? guesses : undefined;
  };
  return {
    retryAfter(address) {
      const guesses = current(networkOf(address));
      return guesses && guesses.count >= MAX_GUESSES ? guesses.since + WINDOW - clock.now() : undefined;
    },
    record(address) {
      const network = networkOf(address);
      const guesses = current(network) ?? { count: 0, since: clock.now() };
      guesses.count++;
      if (guesses.count === MAX_GUESSES)
        log.warn(
          { address: network },
          `${MAX_GUESSES} wrong API tokens in a minute: the address has to wait`,
        );
      networks.delete(network); // and to the end, behind all that guessed before
      networks.set(network, guesses);
      const [oldest] = networks.keys();
      if (networks.size > MAX_ADDRESSES && oldest !== undefined) networks.delete(oldest);
    },
  };
}
