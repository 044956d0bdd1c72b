import * as oauth from 'oauth4webapi';
import { z } from 'zod';
import { AppError } from '../lib/errors.ts';
import { createFailures, type Failures } from './endpoint-failures.ts';
import { classifyRejection, parseJson, ssoFailure, type SsoOperation } from './sso-errors.ts';
import type { SsoHttp } from './sso-http.ts';
import type { SsoMetadata } from './sso-metadata.ts';

export interface TokenEndpointOptions {
  readonly base: URL;
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  readonly callbackUrl: string;
  readonly http: SsoHttp;
  /** Whether this SSO has EVE's daily downtime. */
  readonly downtime: boolean;
  readonly now: () => number;
}

/** Tokens as received. The access token is not verified yet. */
interface RawGrant {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
}

/**
 * Basic authentication with the secret as it is. RFC 6749 encodes id and secret first, and `oauth.ClientSecretBasic`
 * also encodes characters that need it not, such as the `_` in EVE's secrets; CCP's samples encode nothing. Letters,
 * digits and `-_.~` are the same in both.
 */
function secretBasic(secret: string): oauth.ClientAuth {
  return (_, { client_id: id }, __, headers) => {
    const credentials = [id, secret].map(encodeURIComponent).join(':');
    headers.set('authorization', `Basic ${Buffer.from(credentials).toString('base64')}`);
  };
}

/** Replaces errors of the library, because they contain the answer's body with the tokens. */
async function readTokens(answer: Promise<oauth.TokenEndpointResponse>): Promise<RawGrant> {
  try {
    const { access_token: accessToken, refresh_token: refreshToken } = await answer;
    return { accessToken, refreshToken };
  } catch (error) {
    const isInvalid =
      error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError;
    throw isInvalid ? ssoFailure("EVE's login server sent an invalid answer.") : error;
  }
}

/** EVE's refresh tokens are longer than 16 characters. A word such as "null" must not replace a valid one. */
const rotation = z.object({ refresh_token: z.string().regex(/^[!-~]{16,4096}$/) });

/** The new refresh token of an answer. One without a usable token keeps the old one, also where it says `null`. */
async function readRotation(response: Response, sent: string) {
  const json = parseJson(await response.clone().text());
  const received = rotation.safeParse(json).data?.refresh_token;
  if (received !== undefined) return { rotatedToken: received === sent ? undefined : received, response };
  const isObject = typeof json === 'object' && json !== null;
  return {
    rotatedToken: undefined,
    response: isObject ? Response.json({ ...json, refresh_token: undefined }) : response,
  };
}

/** Lets the library send through our HTTP client, and turns rejections into our errors before the library reads them. */
function requestOptions(
  { base, http, downtime, now }: TokenEndpointOptions,
  operation: SsoOperation,
  failures: Failures,
) {
  return {
    [oauth.allowInsecureRequests]: base.protocol === 'http:',
    [oauth.customFetch]: async (url: string, init: oauth.CustomFetchOptions<'POST', URLSearchParams>) => {
      const { headers, method, body } = init;
      const answer = await failures.observe(http.send(url, { headers, method, body: body.toString() }));
      if (answer.status !== 200) throw classifyRejection(answer, { operation, now: now(), downtime });
      return new Response(answer.text, { headers: { 'content-type': 'application/json' } });
    },
  };
}

/** Creates the requests that carry the client's secret: for tokens, and to revoke a login. */
export function createTokenEndpoint(options: TokenEndpointOptions) {
  const { clientId, clientSecret, callbackUrl } = options;
  const client: oauth.Client = { client_id: clientId };
  const auth = clientSecret ? secretBasic(clientSecret) : oauth.None();
  const failures = createFailures(options.now);
  const optionsFor = (operation: SsoOperation) => requestOptions(options, operation, failures);
  return {
    isFailing: failures.isFailing,
    async redeem(metadata: SsoMetadata, code: string, verifier: string): Promise<RawGrant> {
      const query = new URLSearchParams({ code }); // the state was checked where the login is stored
      const checked = oauth.validateAuthResponse(metadata, client, query, oauth.expectNoState);
      const response = await oauth.authorizationCodeGrantRequest(
        metadata,
        client,
        auth,
        checked,
        callbackUrl,
        verifier,
        optionsFor('login'),
      );
      return readTokens(oauth.processAuthorizationCodeResponse(metadata, client, response));
    },
    /** Returns the answer, of which only the new refresh token is read: `rotatedToken`, where EVE rotated it. */
    async refresh(metadata: SsoMetadata, refreshToken: string) {
      const response = await oauth.refreshTokenGrantRequest(
        metadata,
        client,
        auth,
        refreshToken,
        optionsFor('refresh'),
      );
      return readRotation(response, refreshToken);
    },
    /** Reads the tokens of a refresh. Throws AppError SSO_TROUBLE when the answer is invalid. */
    readRefresh: (metadata: SsoMetadata, response: Response) =>
      readTokens(oauth.processRefreshTokenResponse(metadata, client, response)),
    async revoke(metadata: SsoMetadata, refreshToken: string): Promise<void> {
      const revocation = {
        ...optionsFor('revoke'),
        additionalParameters: { token_type_hint: 'refresh_token' },
      };
      try {
        await oauth.revocationRequest(metadata, client, auth, refreshToken, revocation);
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'LOGIN_DEAD')) throw error;
      }
    },
  };
}
