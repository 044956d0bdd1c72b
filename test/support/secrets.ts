import type { EngineContext } from '../../src/engine/engine-context.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createCipher } from '../../src/secrets/cipher.ts';
import { createSsoClient } from '../../src/sso/sso-client.ts';

/** The application that the tests log in with, as the simulator knows it. */
export const TEST_APPLICATION = {
  clientId: 'simulated-client',
  clientSecret: 'simulated-secret',
  callbackUrl: 'http://localhost:8080/callback',
};

/** What the tests seal with. */
export const TEST_KEY = Buffer.alloc(32, 7);

/** A cipher with a fixed key and the simulator's login server. */
export function testSecrets(
  { ssoUrl }: { readonly ssoUrl?: string },
  clock: Clock,
): Pick<EngineContext, 'cipher' | 'sso'> {
  const cipher = createCipher([TEST_KEY]);
  if (ssoUrl === undefined) return { cipher, sso: undefined };
  const userAgent = 'eve-collector-test (test@example.com)';
  return {
    cipher,
    sso: createSsoClient({ ...TEST_APPLICATION, baseUrl: ssoUrl, userAgent, clock, log: silentLog }),
  };
}
