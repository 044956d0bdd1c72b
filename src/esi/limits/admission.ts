import type { Route } from '../facts/routes.ts';
import type { Headers } from './rate-limit-feedback.ts';

export interface AdmitRequest {
  readonly route: Route;
  /** Whose bucket: `ip`, or the application and character of a token. */
  readonly user?: string;
  /** 1 (a person waits) to 5 (backfill), as Temporal counts; 3 when nothing is said. */
  readonly priority?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called while it waits. */
  readonly heartbeat?: (() => void) | undefined;
}

/** Leave for one request. Tell it how the request ended, whatever happened. */
export interface Admission {
  /** `status` undefined: no answer came. */
  settle(status: number | undefined, headers?: Headers): void;
  /** The request was not sent after all. */
  cancel(): void;
}

/** Who is asked before a request leaves. */
export interface RateLimiter {
  /** Resolves when the request may leave; throws EsiError `wait` when that takes longer than it is worth standing by. */
  admit(request: AdmitRequest): Promise<Admission>;
  /** Accounts for everything and gives back what is leased. */
  close(): Promise<void>;
}
