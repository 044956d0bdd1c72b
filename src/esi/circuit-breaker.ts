import type { Clock } from '../lib/clock.ts';

export interface CircuitBreakerOptions {
  readonly clock: Clock;
  /** Failures in a row that open the breaker. */
  readonly maxFailures: number;
  /** Milliseconds for which it stays open before one call is let through as a probe. */
  readonly resetAfter: number;
  /** Whether an error counts as a failure. Any other error leaves the count as it is. */
  readonly isFailure: (error: unknown) => boolean;
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

  /**
   * The result of `call`. Throws CircuitOpenError without calling while the breaker is open. Calls that arrive during a
   * probe wait for its result.
   */
  async execute<T>(call: () => Promise<T>): Promise<T> {
    while (this.probe) await this.probe;
    if (this.openedAt === undefined) return this.observe(call, false);
    if (this.options.clock.now() - this.openedAt < this.options.resetAfter) throw new CircuitOpenError();
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
      if (isProbe) this.openedAt = undefined;
      return value;
    } catch (error) {
      const { clock, isFailure, maxFailures } = this.options;
      if (isFailure(error)) {
        this.failures++;
        const opens = this.openedAt === undefined && this.failures >= maxFailures;
        if (isProbe || opens) this.openedAt = clock.now();
      } else if (isProbe) {
        this.failures = 0;
        this.openedAt = undefined;
      }
      throw error;
    }
  }
}
