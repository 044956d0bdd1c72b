import { AppError, type Verdict } from '../lib/errors.ts';

/** A request without a usable answer. `requests` is the number of requests that were sent for it. */
export class EsiError extends AppError {
  readonly status: number | undefined;
  requests = 0;
  /** Whether it says nothing of other routes and ids: ESI failed for this request, or its route is stopped. */
  readonly isOfRoute: boolean;

  constructor(
    message: string,
    options: {
      code: string;
      verdict: Verdict;
      status?: number;
      retryAfter?: number;
      isOfRoute?: boolean;
      cause?: unknown;
    },
  ) {
    super(message, options);
    this.name = 'EsiError';
    this.status = options.status;
    this.isOfRoute = options.isOfRoute ?? options.verdict === 'retry';
  }
}
