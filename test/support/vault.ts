import type { Vault } from '../../src/engine/ports.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createCipher } from '../../src/vault/cipher.ts';
import { createSsoClient } from '../../src/vault/sso.ts';

/** The application that the tests log in with, as the simulator knows it. */
export const TEST_APPLICATION = {
  clientId: 'simulated-client',
  clientSecret: 'simulated-secret',
  callbackUrl: 'http://localhost:8080/callback',
};

/** What the tests seal with. */
export const TEST_KEY = Buffer.alloc(32, 7);

/** A vault with a fixed key and the simulator's login server. */
export function testVault({ ssoUrl }: { readonly ssoUrl?: string }, clock: Clock): Vault {
  const cipher = createCipher([TEST_KEY]);
  if (ssoUrl === undefined) return { cipher, sso: undefined };
  const userAgent = 'eve-collector-test (test@example.com)';
  return {
    cipher,
    sso: createSsoClient({ ...TEST_APPLICATION, baseUrl: ssoUrl, userAgent, clock, log: silentLog }),
  };
}
