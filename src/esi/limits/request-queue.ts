import type { AdmitRequest } from './admission.ts';
import type { Charge } from './charges.ts';

/** A request that has not been admitted yet. */
export interface Waiter {
  readonly request: AdmitRequest;
  readonly draws: readonly Charge[];
  readonly priority: number;
  admit(): void;
  refuse(error: unknown): void;
}

/** Requests that wait to be admitted: by priority, and among equals as they came. */
export class RequestQueue {
  private waiters: Waiter[] = [];

  get isEmpty(): boolean {
    return this.waiters.length === 0;
  }

  /** Resolves when the request is admitted; rejects when it is refused, or with its signal's reason. */
  join(request: AdmitRequest, draws: readonly Charge[], priority: number): Promise<void> {
    return new Promise((admit, refuse) => {
      const onAbort = () => {
        this.keep((w) => w !== waiter);
        refuse(request.signal?.reason);
      };
      const deaf = () => request.signal?.removeEventListener('abort', onAbort);
      const waiter: Waiter = {
        request,
        draws,
        priority,
        admit: () => (deaf(), admit()),
        refuse: (error) => (deaf(), refuse(error)),
      };
      request.signal?.addEventListener('abort', onAbort, { once: true });
      const place = this.waiters.findIndex((w) => w.priority > priority);
      this.waiters.splice(place < 0 ? this.waiters.length : place, 0, waiter);
    });
  }

  /** Asks in turn who stays; whoever does not has been admitted or refused. Others may leave meanwhile: a sign aborts. */
  keep(stays: (waiter: Waiter) => boolean): void {
    const gone = new Set(this.waiters.filter((waiter) => !stays(waiter)));
    this.waiters = this.waiters.filter((waiter) => !gone.has(waiter));
  }

  /** A sign of life for each. One whose sign fails is refused with that, which is its own trouble: the others wait on. */
  giveSignsOfLife(): void {
    this.keep((waiter) => {
      try {
        waiter.request.heartbeat?.();
        return true;
      } catch (error) {
        waiter.refuse(error);
        return false;
      }
    });
  }
}
