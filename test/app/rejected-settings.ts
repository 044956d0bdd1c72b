import { expect } from '@jest/globals';
import { readConfig } from '../../src/app/settings.ts';

export const AGENT = { ESI_USER_AGENT: 'my-tool (me@example.com)' };

/** The lines of the error that rejects an environment. */
export function errorLines(environment: NodeJS.ProcessEnv): string[] {
  try {
    readConfig({ ...AGENT, ...environment });
  } catch (error) {
    expect(error).toMatchObject({ name: 'AppError', code: 'BAD_SETTINGS', verdict: 'fail' });
    return (error as Error).message.split('\n');
  }
  throw new Error(`not rejected: ${JSON.stringify(environment)}`);
}
