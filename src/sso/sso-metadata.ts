import { z } from 'zod';
import { AppError } from '../lib/errors.ts';
import { parseJson, ssoFailure } from './sso-errors.ts';

/** The host of EVE's own SSO. */
const EVE_HOST = 'login.eveonline.com';

const metadata = z.object({
  /** EVE says `login.eveonline.com`. RFC 8414 requires a URL, so the discovery of oauth4webapi rejects EVE's document. */
  issuer: z.string().min(1),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  revocation_endpoint: z.url(),
  jwks_uri: z.url(),
});

/** The SSO's metadata document of `/.well-known/oauth-authorization-server`, checked. */
export type SsoMetadata = Readonly<z.infer<typeof metadata>>;

/** The issuers of tokens of an SSO: the one in its metadata, and for EVE's own SSO the names that it has used. */
export function issuersOf({ issuer }: SsoMetadata, baseUrl: string): string[] {
  const issuers = [issuer.replace(/\/$/, '')];
  if (new URL(baseUrl).host === EVE_HOST) issuers.push(EVE_HOST, `https://${EVE_HOST}`);
  return issuers.flatMap((name) => [name, `${name}/`]);
}

/** Whether an endpoint may get the client's secret: it is on the configured host, and at least as safe. */
function isTrusted(endpoint: string, base: URL): boolean {
  const { host, protocol, username, password } = new URL(endpoint);
  const isSafe = protocol === 'https:' || (protocol === 'http:' && base.protocol === 'http:');
  return isSafe && host === base.host && username === '' && password === '';
}

/**
 * Parses and checks the metadata document. Throws AppError SSO_TROUBLE (`retry`) when it is invalid, and SSO_UNTRUSTED
 * (`fail`) when it refers to another host, which somebody may have put there to be sent secrets.
 */
export function parseMetadata(text: string, baseUrl: string): SsoMetadata {
  const base = new URL(baseUrl);
  const { data } = metadata.safeParse(parseJson(text));
  if (!data)
    throw ssoFailure(`The metadata of EVE's login server (${base.host}) is invalid. Check SSO_BASE_URL.`);
  const { issuer: _, ...endpoints } = data;
  const untrusted = Object.entries(endpoints).find(([, url]) => !isTrusted(url, base));
  if (untrusted)
    throw new AppError(
      `The login server ${base.host} refers to another host (${new URL(untrusted[1]).host}) or an unsafe address as ` +
        `its ${untrusted[0]}. Nothing was sent there. Check SSO_BASE_URL and the network of this machine.`,
      { code: 'SSO_UNTRUSTED', verdict: 'fail' },
    );
  return data;
}
