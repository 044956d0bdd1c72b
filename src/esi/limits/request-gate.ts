import type { Clock } from '../../lib/clock.ts';
import type { Route } from '../facts/routes.ts';
import { downtimePhase, serverIsBack } from './downtime.ts';
import { EsiError } from '../esi-error.ts';

export interface RequestGateOptions {
  readonly clock: Clock;
  /** Says why nothing may be sent now (an operator's pause), or undefined. */
  readonly paused: (() => Promise<string | undefined>) | undefined;
  /** Whether this ESI has EVE's daily downtime. */
  readonly downtime: boolean;
  /** Asks for /status. */
  readonly probe: () => Promise<unknown>;
}

/** How soon a paused request looks again. */
const PAUSE_LOOK = 10_000;
/** ESI caches /status for 30 s. */
const STATUS_CACHE = 30_000;

/** Keeps requests back while an operator has paused them, and during EVE's daily downtime. */
export class RequestGate {
  private readonly options: RequestGateOptions;
  private statusProbe: { at: number; back: Promise<boolean> } | undefined;

  constructor(options: RequestGateOptions) {
    this.options = options;
  }

  /** Throws EsiError `wait` when nothing may be sent now. */
  async assertOpen(route: Route): Promise<void> {
    const paused = await this.options.paused?.();
    if (paused !== undefined) {
      throw waiting(`Paused by the operator (${paused}); "eve-collector resume" goes on.`, PAUSE_LOOK);
    }
    if (this.options.downtime) await this.checkDowntime(route);
  }

  private async checkDowntime(route: Route): Promise<void> {
    const { phase, until } = downtimePhase(this.options.clock.now());
    if (phase === 'open' || route === '/status') return;
    if (phase === 'probe' && (await this.isBack())) return;
    const wait = phase === 'closed' ? until - this.options.clock.now() : STATUS_CACHE;
    throw waiting('The daily downtime of EVE (11:00 UTC) is not over.', Math.max(wait, 1_000));
  }

  private isBack(): Promise<boolean> {
    const now = this.options.clock.now();
    if (!this.statusProbe || now - this.statusProbe.at > STATUS_CACHE) {
      const back = this.options.probe().then(
        (status) => serverIsBack(status, now),
        () => false,
      );
      this.statusProbe = { at: now, back };
    }
    return this.statusProbe.back;
  }
}

function waiting(message: string, retryAfter: number): EsiError {
  return new EsiError(message, { code: 'ESI_WAIT', verdict: 'wait', retryAfter });
}
