import type { Headers } from '../classify-status.ts';
import type { EsiRequest } from '../esi-request.ts';

/** Requests of a process at once. ESI's community recommends this number of connections. */
export const CONNECTIONS = 20;

/** A request to be admitted. */
export interface AdmitRequest extends Pick<EsiRequest, 'route' | 'priority' | 'signal' | 'heartbeat'> {
  /** Whose bucket it counts against: `ip` (default), or the application and character of a token. */
  readonly user?: string;
}

/** Permission to send one request. Exactly one of its methods must be called, however the request ends. */
export interface Admission {
  /** Accounts for the request, which has ended. `status` is undefined when no answer came. */
  complete(status: number | undefined, headers?: Headers): void;
  /** Returns all tokens, because the request was not sent. */
  cancel(): void;
}

/** Admits requests within ESI's limits and our own. */
export interface RateLimiter {
  /** Resolves when the request may be sent. Throws EsiError `wait` when that takes longer than a worker should wait. */
  admit(request: AdmitRequest): Promise<Admission>;
  /** Reports all ended requests. */
  close(): Promise<void>;
}
