import { type RateLimiterOptions, SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import { EsiError } from '../../src/esi/esi-error.ts';
import { memoryRateLimitStore } from './memory-rate-limit-store.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Route } from '../../src/esi/facts/routes.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** A request as ESI counts it: when it arrived and how many tokens it cost. */
export interface Arrival {
  readonly at: number;
  readonly tokens: number;
}

export interface SaturateOptions {
  readonly workers: number;
  readonly route: Route;
  /** Tokens that each answer (a 200) costs. */
  readonly cost: number;
  readonly forMs: number;
  readonly throttle: RateLimiterOptions['throttle'];
  /** 1 to 5. Default: normal. */
  readonly priority?: number;
  /** Kills all workers and starts new ones after this time, again and again. Default: never. */
  readonly killEveryMs?: number;
}

/** Requests that each worker sends at the same time. */
const CONCURRENCY = 8;

/** The longest that a request, or its answer, is on the way. */
const MAX_ONE_WAY_MS = 150;

/** The most tokens in any window. Only windows that end at an arrival have to be looked at. */
export function worstWindow(arrivals: readonly Arrival[], windowMs: number): number {
  let worst = 0;
  let sum = 0;
  let from = 0;
  for (const { at, tokens } of arrivals) {
    sum += tokens;
    while (arrivals[from]!.at <= at - windowMs) sum -= arrivals[from++]!.tokens;
    worst = Math.max(worst, sum);
  }
  return worst;
}

const never = new Promise<never>(() => undefined);

/**
 * Runs workers that send requests as fast as the limiter admits them. ESI counts a request between its sending and its answer,
 * also when its worker is killed meanwhile.
 */
export async function saturateRateLimiter(clock: VirtualClock, options: SaturateOptions): Promise<Arrival[]> {
  const { route, cost, throttle, priority, killEveryMs = options.forMs } = options;
  const store = memoryRateLimitStore(() => clock.now());
  const arrivals: Arrival[] = [];
  const end = clock.now() + options.forMs;
  let seed = 7;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647; // Lehmer's generator
  const sendRequests = async (limiter: SharedRateLimiter, isKilled: () => boolean) => {
    while (!isKilled()) {
      try {
        const admission = await limiter.admit({ route, ...(priority === undefined ? {} : { priority }) });
        await clock.sleep(random() * MAX_ONE_WAY_MS);
        arrivals.push({ at: clock.now(), tokens: cost });
        await clock.sleep(random() * MAX_ONE_WAY_MS);
        if (!isKilled()) admission.complete(200);
      } catch (error) {
        if (!(error instanceof EsiError)) throw error;
        await clock.sleep(error.retryAfter ?? 0);
      }
    }
  };
  for (let life = 0; clock.now() < end; life++) {
    let killed = false;
    for (let w = 0; w < options.workers; w++) {
      const limiter = new SharedRateLimiter({
        store: { update: (...args) => (killed ? never : store.update(...args)) },
        worker: `${life}:${w}`,
        throttle,
        clock,
        log: silentLog,
      });
      for (let n = 0; n < CONCURRENCY; n++) void sendRequests(limiter, () => killed);
    }
    await clock.runUntil(Math.min(end, clock.now() + killEveryMs));
    killed = true;
  }
  return arrivals.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
}
