import { AppError, type Verdict } from '../lib/errors.ts';

/** A request without a usable answer. `requests` is the number of requests that were sent for it. */
export class EsiError extends AppError {
  readonly status: number | undefined;
  requests = 0;

  constructor(
    message: string,
    options: { code: string; verdict: Verdict; status?: number; retryAfter?: number; cause?: unknown },
  ) {
    super(message, options);
    this.name = 'EsiError';
    this.status = options.status;
  }
}
