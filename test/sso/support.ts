import { inspect } from 'node:util';
import { AppError } from '../../src/lib/errors.ts';

/** A text of a JWT's form, signed by nobody. */
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

/** Everything that a log could show of an error. */
export function allOf(error: AppError): string {
  return inspect(error, { depth: 10, showHidden: true }) + String(error.stack);
}
