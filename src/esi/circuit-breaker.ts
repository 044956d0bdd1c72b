import type { Clock } from '../lib/clock.ts';

export interface CircuitBreakerOptions {
  readonly clock: Clock;
  /** Failures in a row that open the breaker. */
  readonly maxFailures: number;
  /** Milliseconds for which it stays open before one call is let through as a probe. */
  readonly resetAfter: number;
  /** Whether an error counts as a failure. Any other error leaves the count as it is. */
  readonly isFailure: (error: unknown) => boolean;
  /** Called when the breaker opens, with the last failure. */
  readonly onOpen?: (failure: unknown) => void;
  /** Called when a probe closes the breaker. */
  readonly onClose?: () => void;
}

/** The breaker is open: the call was not made. */
export class CircuitOpenError extends Error {
  constructor() {
    super('The circuit breaker is open.');
    this.name = 'CircuitOpenError';
  }
}

/** Stops calls to a server that has failed several times in a row, on the clock of its caller. */
export class CircuitBreaker {
  private readonly options: CircuitBreakerOptions;
  private failures = 0;
  private openedAt: number | undefined;
  private probe: Promise<unknown> | undefined;

  constructor(options: CircuitBreakerOptions) {
    this.options = options;
  }

  get isOpen(): boolean {
    return this.openedAt !== undefined;
  }

  /** Milliseconds until an open breaker lets a probe through; 0 when it is closed or due. */
  get retryAfter(): number {
    const { clock, resetAfter } = this.options;
    return this.openedAt === undefined ? 0 : Math.max(0, Math.ceil(this.openedAt + resetAfter - clock.now()));
  }

  /**
   * The result of `call`. Throws CircuitOpenError without calling while the breaker is open. Calls that arrive during a
   * probe wait for its result.
   */
  async execute<T>(call: () => Promise<T>): Promise<T> {
    while (this.probe) await this.probe;
    if (!this.isOpen) return this.observe(call, false);
    if (this.retryAfter > 0) throw new CircuitOpenError();
    const result = this.observe(call, true);
    const forget = () => {
      this.probe = undefined;
    };
    this.probe = result.then(forget, forget);
    return result;
  }

  /** Only a probe closes an open breaker: a call from before it opened may still succeed while the server fails. */
  private async observe<T>(call: () => Promise<T>, isProbe: boolean): Promise<T> {
    try {
      const value = await call();
      this.failures = 0;
      if (isProbe) this.close();
      return value;
    } catch (error) {
      const { clock, isFailure, maxFailures, onOpen } = this.options;
      if (isFailure(error)) {
        this.failures++;
        const opens = !this.isOpen && this.failures >= maxFailures;
        if (isProbe || opens) this.openedAt = clock.now();
        if (opens) onOpen?.(error);
      } else if (isProbe) this.close();
      throw error;
    }
  }

  private close(): void {
    this.failures = 0;
    this.openedAt = undefined;
    this.options.onClose?.();
  }
}
