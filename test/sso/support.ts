import { inspect } from 'node:util';
import { AppError } from '../../src/lib/errors.ts';
import type { Grant, SsoClient } from '../../src/sso/sso-client.ts';

/** A text in the form of a JWT, without a valid signature. */
export const JWT = [
  Buffer.from('{"alg":"RS256","kid":"JWT-Signature-Key","typ":"JWT"}').toString('base64url'),
  Buffer.from('{"sub":"CHARACTER:EVE:90000001","iss":"login.eveonline.com"}').toString('base64url'),
  'c2lnbmF0dXJl',
].join('.');

/** The AppError that something ends with, at once or later; any other outcome fails the test. */
export async function errorOf(work: (() => unknown) | Promise<unknown>): Promise<AppError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('an error was expected');
}

/** Refreshes a login as the engine does: stores a rotated token, and then verifies the answer. */
export async function refresh(
  sso: SsoClient,
  sent: string,
  signal?: AbortSignal,
  store?: (rotatedToken: string) => void,
): Promise<Grant> {
  const { rotatedToken, verify } = await sso.refresh(sent, signal);
  if (rotatedToken !== undefined) store?.(rotatedToken);
  return verify();
}

/** Everything that a log could show of an error. */
export function allOf(error: AppError): string {
  return inspect(error, { depth: 10, showHidden: true }) + String(error.stack);
}
