import { OWNER_SCOPES } from '../owners/owner-scopes.ts';
import type { Algorithm, Claims, Signer } from './signing-keys.ts';
import { DEFAULT_CLIENT, type Rotation } from './sso-options.ts';
import { TOKEN_SECONDS, type SsoCounts, type SsoService } from './sso-service.ts';

/** Tokens as the token endpoint issues them. */
export interface IssuedTokens {
  accessToken: string;
  refreshToken: string;
  /** Seconds. */
  expiresIn: number;
}

/** How a forged token differs from a genuine one. */
export interface Forgery {
  /** For example `{ alg: 'none' }`, `{ alg: 'HS256' }` (signed with the public key as the secret), `{ kid: '…' }`. */
  header?: Claims;
  /** For example `{ iss: '…' }`, `{ aud: '…' }`, `{ exp: 0 }`. A claim that is undefined is left out. */
  payload?: Claims;
  /** Default: `own`. */
  key?: Signer;
}

/** What a person decides in the browser, besides the character. */
export interface LoginChoice {
  /** Fewer scopes than requested. */
  grant?: string[];
  deny?: boolean;
}

export interface GrantView {
  clientId: string;
  scopes: string[];
  /** The valid refresh tokens. */
  refreshTokens: string[];
}

/** The controls of the SSO for tests. */
export interface Sso {
  /** Issues tokens without a browser. Default: all scopes of owner routes, for the first client. */
  issue(characterId: number, scopes?: readonly string[], clientId?: string): Promise<IssuedTokens>;
  /** The address of the authorize page with a character selected. A GET of it answers 302. */
  loginUrl(authorizeUrl: string, characterId: number, choice?: LoginChoice): string;
  forge(characterId: number, forgery?: Forgery): Promise<string>;
  /** Sets the access token of the next answer with tokens. Several calls queue up. */
  nextAccessToken(token: string): void;
  /** Sets the algorithm of new tokens. */
  setAlgorithm(algorithm: Algorithm): void;
  setRotation(rotation: Rotation): void;
  /** Makes new keys under new ids and removes the old ones. */
  rotateKeys(): Promise<void>;
  /** Removes a key from the JWKS; new tokens are still signed with it. */
  removeKey(algorithm?: Algorithm): Promise<void>;
  /** Moves the character to another account: its tokens stay, new ones have the new owner hash, which is returned. */
  transfer(characterId: number): string;
  ownerHash(characterId: number): string;
  /** Invalidates all refresh tokens of the character; ESI refuses its access tokens. */
  revoke(characterId: number): void;
  /** Makes ESI treat the present access tokens as expired. */
  expire(characterId: number): void;
  /** Removes the scope from present and new tokens. */
  withdrawScope(characterId: number, scope: string): void;
  grants(characterId: number): GrantView[];
  /** The number of valid refresh tokens. */
  tokenCount(characterId: number): number;
  requests(): SsoCounts;
}

function loginUrl(authorizeUrl: string, characterId: number, { grant, deny }: LoginChoice = {}): string {
  const url = new URL(authorizeUrl);
  url.searchParams.set('character', String(characterId));
  if (grant) url.searchParams.set('grant', grant.join(' '));
  if (deny) url.searchParams.set('deny', '1');
  return url.href;
}

async function forge(
  sso: SsoService,
  characterId: number,
  { header = {}, payload = {}, key = 'own' }: Forgery = {},
): Promise<string> {
  const client = (sso.clients[0] ?? DEFAULT_CLIENT).id;
  const claims: Claims = { ...(await sso.claims(characterId, client, OWNER_SCOPES)), ...payload };
  const token = await sso.keys.forge(claims, header, key);
  const signed = key === 'own' && [undefined, 'RS256', 'ES256'].includes(header.alg as string | undefined);
  // ESI accepts a token with the SSO's signature, issuer and audience.
  if (signed && claims.iss === sso.url && [claims.aud].flat().includes('EVE Online'))
    sso.register(token, claims, undefined);
  return token;
}

function withdrawScope(sso: SsoService, characterId: number, scope: string): void {
  for (const grant of sso.grants.of(characterId))
    grant.scopes = grant.scopes.filter((name) => name !== scope);
  for (const access of sso.access.of(characterId)) access.scopes.delete(scope);
}

export function createSsoControl(sso: SsoService): Sso {
  return {
    issue: async (characterId, scopes = OWNER_SCOPES, clientId = (sso.clients[0] ?? DEFAULT_CLIENT).id) => {
      const { grant, token } = sso.open(characterId, clientId, [...scopes]);
      const accessToken = await sso.accessToken(grant, scopes);
      return { accessToken, refreshToken: token, expiresIn: TOKEN_SECONDS };
    },
    loginUrl,
    forge: (characterId, forgery) => forge(sso, characterId, forgery),
    nextAccessToken: (token) => void sso.queuedAccessTokens.push(token),
    setAlgorithm: (algorithm) => void (sso.keys.algorithm = algorithm),
    setRotation: (rotation) => void (sso.grants.rotation = rotation),
    rotateKeys: () => sso.keys.rotate(),
    removeKey: (algorithm = sso.keys.algorithm) => sso.keys.remove(algorithm),
    transfer: (characterId) => sso.transfer(characterId),
    ownerHash: (characterId) => sso.ownerHash(characterId),
    revoke: (characterId) => {
      for (const grant of sso.grants.of(characterId)) sso.end(grant);
      for (const access of sso.access.of(characterId)) access.state = 'revoked';
    },
    expire: (characterId) => {
      for (const access of sso.access.of(characterId)) if (access.state === 'good') access.state = 'expired';
    },
    withdrawScope: (characterId, scope) => withdrawScope(sso, characterId, scope),
    grants: (characterId) =>
      sso.grants.of(characterId).map(({ clientId, scopes, tokens }) => ({
        clientId,
        scopes: [...scopes],
        refreshTokens: tokens.map(({ token }) => token),
      })),
    tokenCount: (characterId) =>
      sso.grants.of(characterId).reduce((sum, { tokens }) => sum + tokens.length, 0),
    requests: () => ({ ...sso.counts }),
  };
}
