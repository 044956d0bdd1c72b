import type { EngineContext } from '../../src/engine/engine-context.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createCipher } from '../../src/secrets/cipher.ts';
import { createSsoClient } from '../../src/sso/sso-client.ts';
import { TEST_USER_AGENT } from './test-user-agent.ts';

/** The application that the tests log in with. The simulator has it registered. */
export const TEST_APPLICATION = {
  clientId: 'simulated-client',
  clientSecret: 'simulated-secret',
  callbackUrl: 'http://localhost:8080/callback',
};

/** The key that the tests encrypt tokens with. */
export const TEST_KEY = Buffer.alloc(32, 7);

/** A cipher with a fixed key, and a client of the simulated SSO. */
export function testSecrets(
  { ssoUrl }: { readonly ssoUrl?: string },
  clock: Clock,
): Pick<EngineContext, 'cipher' | 'sso'> {
  const cipher = createCipher([TEST_KEY]);
  if (ssoUrl === undefined) return { cipher, sso: undefined };
  return {
    cipher,
    sso: createSsoClient({
      ...TEST_APPLICATION,
      baseUrl: ssoUrl,
      userAgent: TEST_USER_AGENT,
      clock,
      log: silentLog,
    }),
  };
}
