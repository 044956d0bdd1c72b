import type { AdmitRequest } from './admission.ts';
import type { Charge } from './charges.ts';

/** A request that is not admitted yet. */
export interface QueuedRequest {
  readonly request: AdmitRequest;
  readonly charges: readonly Charge[];
  readonly priority: number;
  admit(): void;
  reject(error: unknown): void;
}

/** Requests that wait for admission, by priority and then in order of arrival. */
export class RequestQueue {
  private queued: QueuedRequest[] = [];

  get isEmpty(): boolean {
    return this.queued.length === 0;
  }

  /** Resolves when the request is admitted. Rejects when it is rejected, or with the reason of its signal. */
  enqueue(request: AdmitRequest, charges: readonly Charge[], priority: number): Promise<void> {
    return new Promise((admit, reject) => {
      const onAbort = () => {
        this.retain((other) => other !== entry);
        reject(request.signal?.reason);
      };
      const stopListening = () => request.signal?.removeEventListener('abort', onAbort);
      const entry: QueuedRequest = {
        request,
        charges,
        priority,
        admit() {
          stopListening();
          admit();
        },
        reject(error) {
          stopListening();
          reject(error);
        },
      };
      request.signal?.addEventListener('abort', onAbort, { once: true });
      const index = this.queued.findIndex((other) => other.priority > priority);
      this.queued.splice(index < 0 ? this.queued.length : index, 0, entry);
    });
  }

  /** Retains the requests for which `stays` is true. A call of it may abort other requests, which leave as well. */
  retain(stays: (entry: QueuedRequest) => boolean): void {
    const removed = new Set(this.queued.filter((entry) => !stays(entry)));
    this.queued = this.queued.filter((entry) => !removed.has(entry));
  }

  /** Heartbeats for each request. One whose heartbeat throws is rejected with that error; the others wait on. */
  heartbeat(): void {
    this.retain((entry) => {
      try {
        entry.request.heartbeat?.();
        return true;
      } catch (error) {
        entry.reject(error);
        return false;
      }
    });
  }
}
