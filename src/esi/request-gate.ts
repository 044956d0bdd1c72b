import { cached, type CachedValue } from '../lib/cached.ts';
import type { Clock } from '../lib/clock.ts';
import { EsiError } from './esi-error.ts';
import type { Route } from './facts/routes.ts';
import { downtimePhase, isServerBack } from './downtime.ts';

export interface RequestGateOptions {
  readonly clock: Clock;
  /** Returns the reason of the operator's pause, or undefined. */
  readonly paused: (() => Promise<string | undefined>) | undefined;
  /** Whether this ESI has EVE's daily downtime. */
  readonly downtime: boolean;
  /** Requests /status and returns its body. */
  readonly probe: () => Promise<unknown>;
}

/** A paused request is tried again after this time. */
const PAUSE_RETRY = 10_000;
/** ESI caches /status for 30 s. */
const STATUS_CACHE = 30_000;

/** What a paused request waits for. */
export const describePause = (reason: string): string =>
  `Paused: no requests are sent to ESI (reason: ${reason}). Run "eve-collector resume" to continue.`;

/** Stops requests while the operator has paused them, and during EVE's daily downtime. */
export class RequestGate {
  private readonly options: RequestGateOptions;
  private readonly isBack: CachedValue<boolean>;

  constructor(options: RequestGateOptions) {
    this.options = options;
    const { clock, probe } = options;
    this.isBack = cached(clock, STATUS_CACHE, async () => {
      const now = clock.now();
      return probe().then(
        (status) => isServerBack(status, now),
        () => false,
      );
    });
  }

  /** Throws EsiError `wait` when nothing may be sent now. After the downtime it asks ESI whether the server is back. */
  async assertOpen(route: Route): Promise<void> {
    await this.assertNotStopped(route);
    const { clock, downtime } = this.options;
    if (!downtime || route === '/status' || downtimePhase(clock.now()).phase !== 'probe') return;
    if (!(await this.isBack.get())) throw duringDowntime(STATUS_CACHE);
  }

  /** The same without asking ESI, for a request that is admitted: what it asked would wait for its connection. */
  async assertNotStopped(route: Route): Promise<void> {
    const reason = await this.options.paused?.();
    if (reason !== undefined) throw waiting(describePause(reason), PAUSE_RETRY);
    const now = this.options.clock.now();
    const { phase, until } = downtimePhase(now);
    if (this.options.downtime && route !== '/status' && phase === 'closed') throw duringDowntime(until - now);
  }
}

function duringDowntime(ms: number): EsiError {
  return waiting("EVE's daily downtime (11:00 UTC) is not over.", Math.max(ms, 1_000));
}

function waiting(message: string, retryAfter: number): EsiError {
  return new EsiError(message, { code: 'ESI_WAIT', verdict: 'wait', retryAfter });
}
