import { z } from 'zod';
import { AppError } from '../lib/errors.ts';
import { ssoTrouble } from './sso-errors.ts';

/** The host of EVE's own SSO. */
const EVE_HOST = 'login.eveonline.com';

const document = z.object({
  /** EVE says `login.eveonline.com`, which is no address; RFC 8414 would have one. */
  issuer: z.string().min(1),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  revocation_endpoint: z.url(),
  jwks_uri: z.url(),
});

/** What the SSO says of itself at `/.well-known/oauth-authorization-server` (facts d), checked. */
export type SsoMetadata = Readonly<z.infer<typeof document>>;

/** Who signs tokens of an SSO: the issuer as it names itself, and for EVE's own the names that it has used. */
export function issuersOf(metadata: SsoMetadata, baseUrl: string): string[] {
  const names = [metadata.issuer.replace(/\/$/, '')];
  if (new URL(baseUrl).host === EVE_HOST) names.push(EVE_HOST, `https://${EVE_HOST}`);
  return names.flatMap((name) => [name, `${name}/`]);
}

/** Whether an endpoint may be sent the client's secret: the host that we were told to ask, and nothing less safe. */
function isAtHome(endpoint: string, base: URL): boolean {
  const { host, protocol, username, password } = new URL(endpoint);
  const safe = protocol === 'https:' || (protocol === 'http:' && base.protocol === 'http:');
  return safe && host === base.host && username === '' && password === '';
}

/**
 * The document, checked. Throws AppError SSO_TROUBLE (`retry`) when it is none, SSO_UNTRUSTED (`fail`) when it names
 * another host: somebody put it there to be sent secrets.
 */
export function readMetadata(text: string, baseUrl: string): SsoMetadata {
  const base = new URL(baseUrl);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const { data } = document.safeParse(json);
  if (!data)
    throw ssoTrouble(
      `What EVE's login server (${base.host}) says of itself is not understood. Check SSO_BASE_URL.`,
    );
  const { issuer: _, ...endpoints } = data;
  const foreign = Object.entries(endpoints).find(([, url]) => !isAtHome(url, base));
  if (foreign)
    throw new AppError(
      `The login server ${base.host} names another host (${new URL(foreign[1]).host}) or an unsafe address as its ` +
        `${foreign[0]}; nothing is sent there. Check SSO_BASE_URL and the network of this machine.`,
      { code: 'SSO_UNTRUSTED', verdict: 'fail' },
    );
  return data;
}
