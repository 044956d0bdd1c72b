import type { Headers } from '../classify-status.ts';
import type { Route } from '../facts/routes.ts';

/** A request to be admitted. */
export interface AdmitRequest {
  readonly route: Route;
  /** Whose bucket it counts against: `ip` (default), or the application and character of a token. */
  readonly user?: string;
  /** 1 (interactive) to 5 (backfill), as in Temporal. Default 3. */
  readonly priority?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called while the request waits. */
  readonly heartbeat?: (() => void) | undefined;
}

/** Permission to send one request. Exactly one of its methods must be called, however the request ends. */
export interface Admission {
  /** Accounts for the request. `status` is undefined when no answer came. */
  complete(status: number | undefined, headers?: Headers): void;
  /** Returns all tokens, because the request was not sent. */
  cancel(): void;
}

/** Admits requests within ESI's limits and our own. */
export interface RateLimiter {
  /** Resolves when the request may be sent. Throws EsiError `wait` when that takes longer than a worker should wait. */
  admit(request: AdmitRequest): Promise<Admission>;
  /** Accounts for all usage and returns all leases. */
  close(): Promise<void>;
}
