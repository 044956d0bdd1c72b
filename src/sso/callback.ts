import { AppError } from '../lib/errors.ts';
import { classifyCallback } from './sso-errors.ts';

/** What the address says that EVE sends a person back with. Either `code` or `error` is there. */
export interface Callback {
  /** Says which login it belongs to, also where the login failed. */
  readonly state: string | undefined;
  readonly code: string | undefined;
  /** LOGIN_DENIED, LOGIN_FAILED, BAD_CALLBACK, or what the SSO refused: SSO_BAD_SCOPE, SSO_BAD_CLIENT. */
  readonly error: AppError | undefined;
}

const BAD_CALLBACK =
  'This address is not the end of a login at EVE: a part is missing or doubled. Begin the login anew.';

/** The one value of a name; a name that is there twice is no good one. */
function single(query: URLSearchParams, name: string): string | undefined {
  const [value, ...others] = query.getAll(name);
  return value === '' || others.length > 0 ? undefined : value;
}

/** Reads the query of the callback. Whether the state is one of ours is for the caller to say, before using the code. */
export function readCallback(query: URLSearchParams): Callback {
  const [state, code, refusal] = ['state', 'code', 'error'].map((name) => single(query, name));
  if (refusal !== undefined) return { state, code: undefined, error: classifyCallback(refusal) };
  if (state !== undefined && code !== undefined) return { state, code, error: undefined };
  const error = new AppError(BAD_CALLBACK, { code: 'BAD_CALLBACK', verdict: 'fail' });
  return { state, code: undefined, error };
}
