import { createLocalJWKSet, type CryptoKey, errors, type JWTHeaderParameters, jwtVerify } from 'jose';
import { z } from 'zod';
import type { Clock } from '../lib/clock.ts';
import { AppError } from '../lib/errors.ts';
import { keep } from '../lib/cached.ts';
import { ssoTrouble } from './sso-errors.ts';

/** Whose token it is, as EVE signed it. */
export interface Identity {
  readonly characterId: number;
  readonly name: string;
  /** Changes when the character goes to another account. */
  readonly ownerHash: string;
  readonly scopes: readonly string[];
}

export interface VerifiedToken {
  readonly identity: Identity;
  /** The token's own `exp`. */
  readonly expiresAt: Date;
}

/** Finds the key that a token says it was signed with. */
export interface JwkSet {
  /** Makes sure that keys are there, so that no token comes that cannot be checked. */
  ready(): Promise<unknown>;
  find(header: JWTHeaderParameters): Promise<CryptoKey>;
}

/** EVE signs with these two (facts d). Anything with a shared secret, or no signature at all, is a forgery. */
const ALGORITHMS = ['RS256', 'ES256'];
/** Keys that EVE withdraws are believed for no longer than this. */
const KEYS_MAX_AGE = 10 * 60_000;
/** An unknown key is looked for at once, but forged tokens must not make us hammer the SSO. */
const SEARCH_PAUSE = 10_000;
/** Clocks differ by seconds. A token lives for 20 minutes and is renewed a minute before: more would hide a fault. */
const CLOCK_TOLERANCE_S = 30;

const keySet = z.object({ keys: z.array(z.looseObject({})) });
const usableKey = z.looseObject({
  kty: z.enum(['RSA', 'EC']),
  kid: z.string().min(1),
  alg: z.enum(['RS256', 'ES256']),
});

const claims = z.object({
  sub: z.string().regex(/^CHARACTER:EVE:[1-9]\d{0,14}$/), // 15 digits are exact in a number
  name: z.string().min(1),
  owner: z.string().min(1),
  aud: z.array(z.string()),
  exp: z.int(),
  /** A plain string when there is one scope, absent when there is none (facts d). */
  scp: z
    .union([z.array(z.string()), z.string().transform((text) => text.split(/\s+/).filter(Boolean))])
    .default([]),
});

const badToken = (reason: string) =>
  new AppError(`The access token from EVE's login server ${reason}. It is not used.`, {
    code: 'BAD_TOKEN',
    verdict: 'fail',
  });

function readKeys(text: string): ReturnType<typeof createLocalJWKSet> {
  try {
    // EVE's list says itself that it may hold keys of other kinds ("SkipUnresolvedJsonWebKeys").
    const keys = keySet.parse(JSON.parse(text)).keys.flatMap((key) => usableKey.safeParse(key).data ?? []);
    if (keys.length > 0) return createLocalJWKSet({ keys });
  } catch {
    // What is wrong with it does not help anybody.
  }
  throw ssoTrouble("The list of keys of EVE's login server is not understood.");
}

/** The keys of the SSO; `load` brings the list (JWKS). Throws what `load` throws, and AppError SSO_TROUBLE. */
export function createJwkSet(clock: Clock, load: () => Promise<string>): JwkSet {
  const kept = keep(clock, KEYS_MAX_AGE, async () => readKeys(await load()));
  let searched: { readonly at: number; readonly keys: ReturnType<typeof kept.renew> } | undefined;
  const search = () => {
    const now = clock.now();
    // Whoever comes within the pause gets the same search, also while it is on its way and when it has failed.
    if (!searched || now - searched.at >= SEARCH_PAUSE) searched = { at: now, keys: kept.renew() };
    return searched.keys;
  };
  return {
    ready: () => kept.get(),
    async find(header) {
      if (!header.kid) throw new errors.JWKSNoMatchingKey(); // jose would try any key of the algorithm
      const known = await kept.get();
      try {
        return await known(header);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        return (await search())(header);
      }
    },
  };
}

const CLAIMS_IN_WORDS: Readonly<Record<string, string>> = {
  iss: "was issued by somebody else than EVE's login server",
  nbf: 'is not valid yet: check the clock of this machine',
  exp: 'does not say until when it is valid',
};

/** Why jose did not accept a token, in words. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'has expired already: check the clock of this machine';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'is forged: its signature does not fit';
  if (error instanceof errors.JOSEAlgNotAllowed)
    return 'is unsigned, or signed in a way that EVE does not use';
  if (error instanceof errors.JWKSNoMatchingKey) return 'is signed with a key that EVE does not publish';
  if (error instanceof errors.JWTClaimValidationFailed)
    return CLAIMS_IN_WORDS[error.claim] ?? 'says something that cannot be true';
  return 'is no signed token (JWT)';
}

/** What a token is checked against. */
export interface TokenExpectation {
  readonly keys: JwkSet;
  readonly issuers: readonly string[];
  readonly clientId: string;
  readonly clock: Clock;
}

/**
 * Checks signature, issuer, audience, expiry and shape of an access token. Throws AppError BAD_TOKEN with the reason,
 * and what fetching the keys throws.
 */
export async function verifyToken(token: string, expected: TokenExpectation): Promise<VerifiedToken> {
  const { keys, issuers, clientId, clock } = expected;
  let payload: unknown;
  try {
    ({ payload } = await jwtVerify(token, (header) => keys.find(header), {
      algorithms: ALGORITHMS,
      issuer: [...issuers],
      requiredClaims: ['exp'],
      currentDate: new Date(clock.now()),
      clockTolerance: CLOCK_TOLERANCE_S,
    }));
  } catch (error) {
    throw error instanceof AppError ? error : badToken(reasonOf(error));
  }
  const { data, error } = claims.safeParse(payload);
  // The part's name only: its value may be anything.
  if (!data) throw badToken(`has no proper "${String(error.issues[0]?.path[0] ?? 'payload')}"`);
  if (![clientId, 'EVE Online'].every((name) => data.aud.includes(name)))
    throw badToken('was made for another application: check ESI_CLIENT_ID');
  return {
    identity: {
      characterId: Number(data.sub.slice('CHARACTER:EVE:'.length)),
      name: data.name,
      ownerHash: data.owner,
      scopes: data.scp,
    },
    expiresAt: new Date(data.exp * 1_000),
  };
}
