import { AppError, type Verdict } from '../lib/errors.ts';

/** A request that brought no usable answer. `requests`: how many were sent for it, so that none goes uncounted. */
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
