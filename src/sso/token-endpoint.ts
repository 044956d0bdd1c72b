import * as oauth from 'oauth4webapi';
import { z } from 'zod';
import { AppError } from '../lib/errors.ts';
import { classifyRefusal, type SsoOperation, jsonOf, ssoTrouble } from './sso-errors.ts';
import type { SsoHttp } from './sso-http.ts';
import type { SsoMetadata } from './sso-metadata.ts';

export interface TokenEndpointOptions {
  readonly base: URL;
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  readonly callbackUrl: string;
  readonly http: SsoHttp;
  readonly downtime: boolean;
  readonly now: () => number;
}

/** Tokens as the SSO gave them, not checked yet. */
export interface RawGrant {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
}

/** Takes a new refresh token to where it lasts. */
export type KeepToken = (refreshToken: string) => Promise<void>;

/** Requests that carry the client's secret: for tokens, and to end a login. */
export interface TokenEndpoint {
  redeem(as: SsoMetadata, code: string, verifier: string): Promise<RawGrant>;
  /** `rotated` is called with a new refresh token before the rest of the answer is judged. */
  refresh(as: SsoMetadata, refreshToken: string, rotated?: KeepToken): Promise<RawGrant>;
  revoke(as: SsoMetadata, refreshToken: string): Promise<void>;
}

/**
 * Basic, with the secret as it is. RFC 6749 encodes id and secret before, and `oauth.ClientSecretBasic` also what needs
 * none, such as the `_` in secrets of EVE; CCP's samples encode nothing. Letters, digits and `-_.~` are the same in both.
 */
function secretBasic(secret: string): oauth.ClientAuth {
  return (_, { client_id: id }, __, headers) => {
    const pair = [id, secret].map(encodeURIComponent).join(':');
    headers.set('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
  };
}

/** The library's own errors hold the answer's body, with the tokens in it: they go no further. */
async function understood(answer: Promise<oauth.TokenEndpointResponse>): Promise<RawGrant> {
  try {
    const { access_token: accessToken, refresh_token: refreshToken } = await answer;
    return { accessToken, refreshToken };
  } catch (error) {
    const isTheirs =
      error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError;
    throw isTheirs ? ssoTrouble("What EVE's login server answered is not understood.") : error;
  }
}

/** Shorter than any of EVE's is no refresh token: a word such as "null" must not take the place of a good one. */
const rotation = z.object({ refresh_token: z.string().regex(/^[!-~]{16,4096}$/) });

/** The refresh token in an answer, however odd the rest of it is. */
const refreshTokenOf = (text: string) => rotation.safeParse(jsonOf(text)).data?.refresh_token;

/** How the library sends: within our own bounds, and with refusals understood before it sees them. */
function sending(
  { base, http, downtime, now }: TokenEndpointOptions,
  errand: SsoOperation,
  seen?: (text: string) => Promise<void>,
) {
  return {
    [oauth.allowInsecureRequests]: base.protocol === 'http:',
    [oauth.customFetch]: async (url: string, init: oauth.CustomFetchOptions<'POST', URLSearchParams>) => {
      const { headers, method, body } = init;
      const answer = await http.send(url, { headers, method, body: body.toString() });
      if (answer.status !== 200) throw classifyRefusal(answer, { errand, now: now(), downtime });
      await seen?.(answer.text);
      return new Response(answer.text, { headers: { 'content-type': 'application/json' } });
    },
  };
}

export function createTokenEndpoint(options: TokenEndpointOptions): TokenEndpoint {
  const { clientId, clientSecret, callbackUrl } = options;
  const client: oauth.Client = { client_id: clientId };
  const auth = clientSecret ? secretBasic(clientSecret) : oauth.None();
  return {
    async redeem(as, code, verifier) {
      const query = new URLSearchParams({ code }); // its state was checked where the login is remembered
      const checked = oauth.validateAuthResponse(as, client, query, oauth.expectNoState);
      const by = sending(options, 'login');
      return understood(
        oauth
          .authorizationCodeGrantRequest(as, client, auth, checked, callbackUrl, verifier, by)
          .then((response) => oauth.processAuthorizationCodeResponse(as, client, response)),
      );
    },
    async refresh(as, sent, rotated) {
      const by = sending(options, 'refresh', async (text) => {
        const refreshToken = refreshTokenOf(text);
        if (refreshToken !== undefined && refreshToken !== sent) await rotated?.(refreshToken);
      });
      return understood(
        oauth
          .refreshTokenGrantRequest(as, client, auth, sent, by)
          .then((response) => oauth.processRefreshTokenResponse(as, client, response)),
      );
    },
    async revoke(as, refreshToken) {
      const by = {
        ...sending(options, 'revoke'),
        additionalParameters: { token_type_hint: 'refresh_token' },
      };
      try {
        await oauth.revocationRequest(as, client, auth, refreshToken, by);
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'LOGIN_DEAD')) throw error;
      }
    },
  };
}
