import { redactSecrets } from './redact.ts';
import { escapeInvisible } from './text.ts';

/**
 * What the caller should do about an error: `retry` soon and a few times, `wait` for a known time, `refresh-token` and try
 * again, `skip-target` because only this target is affected, `fail` because a retry cannot help.
 */
export type Verdict = 'retry' | 'wait' | 'refresh-token' | 'skip-target' | 'fail';

export interface AppErrorOptions {
  /** Stable identifier for programs, e.g. `ESI_STATUS`. */
  code: string;
  verdict: Verdict;
  /** For `wait`: milliseconds until a retry makes sense. */
  retryAfter?: number;
  cause?: unknown;
}

/** An error of this product. Its message says what happened, to what, and what to do. It contains no secret and no body. */
export class AppError extends Error {
  readonly code: string;
  readonly verdict: Verdict;
  readonly retryAfter: number | undefined;

  constructor(message: string, { code, verdict, retryAfter, cause }: AppErrorOptions) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'AppError';
    this.code = code;
    this.verdict = verdict;
    this.retryAfter = retryAfter;
  }
}

/**
 * Describes an error in one line of at most 500 characters without secrets and invisible characters. Temporal stores 4 KB of a
 * failure.
 */
export function describeError(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return escapeInvisible(redactSecrets(text).replaceAll(/\s+/g, ' ')).slice(0, 500);
}
