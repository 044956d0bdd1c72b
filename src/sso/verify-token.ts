import { createLocalJWKSet, type CryptoKey, errors, type JWTHeaderParameters, jwtVerify } from 'jose';
import { z } from 'zod';
import { cached } from '../lib/cached.ts';
import type { Clock } from '../lib/clock.ts';
import { MINUTE, SECOND } from '../lib/duration.ts';
import { AppError } from '../lib/errors.ts';
import { cleanName, isStorable } from '../lib/text.ts';
import { parseJson, ssoFailure } from './sso-errors.ts';

/** The character of a token, as EVE signed it. */
export interface Identity {
  readonly characterId: number;
  readonly name: string;
  /** Changes when the character moves to another account. */
  readonly ownerHash: string;
  readonly scopes: readonly string[];
}

/** The content of a valid access token. */
export interface VerifiedToken {
  readonly identity: Identity;
  /** The token's own `exp`. */
  readonly expiresAt: Date;
}

/** The public keys of the SSO. */
export interface JwkSet {
  /** Loads the keys unless they are cached. */
  ready(): Promise<unknown>;
  /** Finds the key that a token names. Throws JWKSNoMatchingKey when there is none. */
  find(header: JWTHeaderParameters): Promise<CryptoKey>;
}

/** EVE signs with these two. A token signed with a shared secret or not at all is forged. */
const ALGORITHMS = ['RS256', 'ES256'];
/** Keys that EVE withdraws are accepted for this long at most. */
const KEYS_MAX_AGE = 10 * MINUTE;
/** The keys are loaded at once for an unknown key, but at most once in this time, because the token may be forged. */
const RELOAD_COOLDOWN = 10 * SECOND;
/** Seconds. Clocks differ by seconds; more would hide a fault, because a token lives for 20 minutes. */
const CLOCK_TOLERANCE = 30;

const keySet = z.object({ keys: z.array(z.looseObject({})) });
const usableKey = z.looseObject({
  kty: z.enum(['RSA', 'EC']),
  kid: z.string().min(1),
  alg: z.enum(['RS256', 'ES256']),
});

/** A text of a token that is stored as it is, or in a list with commas. EVE's are at most 50 characters long. */
const word = z.string().regex(/^[\w.+/=-]{1,200}$/);

/** The end of the year 9999 in seconds, after which a date has no four digits for its year. */
const LAST_EXPIRY = 253_402_300_799;

const claims = z.object({
  sub: z.string().regex(/^CHARACTER:EVE:[1-9]\d{0,14}$/), // 15 digits are exact in a number
  name: z
    .string()
    .refine(isStorable)
    .transform(cleanName)
    .refine((name) => name !== ''),
  owner: word,
  aud: z.array(z.string()),
  exp: z.int().max(LAST_EXPIRY),
  /** A string for one scope, absent for none. */
  scp: z
    .union([
      z.array(word),
      z
        .string()
        .transform((text) => text.split(/\s+/).filter(Boolean))
        .pipe(z.array(word)),
    ])
    .default([]),
});

const badToken = (reason: string) =>
  new AppError(`The access token from EVE's login server ${reason}. It was rejected.`, {
    code: 'BAD_TOKEN',
    verdict: 'fail',
  });

function parseKeys(text: string): ReturnType<typeof createLocalJWKSet> {
  // EVE announces that the list may hold keys of other kinds ("SkipUnresolvedJsonWebKeys").
  const found = keySet.safeParse(parseJson(text)).data?.keys ?? [];
  const keys = found.flatMap((key) => usableKey.safeParse(key).data ?? []);
  if (keys.length > 0) return createLocalJWKSet({ keys });
  throw ssoFailure("The list of keys of EVE's login server is invalid.");
}

/**
 * Creates the set of the SSO's keys; `load` returns the list (JWKS). The remote set of jose is not used: its cache and
 * cooldown run on the system clock, and it tries any key of the algorithm for a token that names none. Throws what
 * `load` throws, and AppError SSO_TROUBLE when the list is invalid.
 */
export function createJwkSet(clock: Clock, load: () => Promise<string>): JwkSet {
  const keys = cached(clock, KEYS_MAX_AGE, async () => parseKeys(await load()));
  let reload: { readonly at: number; readonly keys: ReturnType<typeof keys.refresh> } | undefined;
  return {
    ready: () => keys.get(),
    async find(header) {
      if (!header.kid) throw new errors.JWKSNoMatchingKey();
      const known = await keys.get();
      try {
        return await known(header);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      }
      const now = clock.now();
      // Calls within the cooldown get the same reload, also while it runs and when it has failed.
      if (!reload || now - reload.at >= RELOAD_COOLDOWN) reload = { at: now, keys: keys.refresh() };
      return (await reload.keys)(header);
    },
  };
}

const INVALID_CLAIMS: Readonly<Record<string, string>> = {
  iss: "was not issued by EVE's login server",
  nbf: 'is not valid yet: check the clock of this machine',
  exp: 'has no expiry',
};

/** Why jose rejected a token. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'has expired: check the clock of this machine';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'is forged: its signature is wrong';
  if (error instanceof errors.JOSEAlgNotAllowed)
    return 'is unsigned, or signed with an algorithm that EVE does not use';
  if (error instanceof errors.JWKSNoMatchingKey) return 'is signed with a key that EVE does not publish';
  if (error instanceof errors.JWTClaimValidationFailed)
    return INVALID_CLAIMS[error.claim] ?? 'has an invalid claim';
  return 'is not a signed token (JWT)';
}

/** What a token is verified against. */
export interface TokenExpectation {
  readonly keys: JwkSet;
  readonly issuers: readonly string[];
  readonly clientId: string;
  readonly clock: Clock;
}

/**
 * Verifies signature, issuer, audience, expiry and claims of an access token. Throws AppError BAD_TOKEN with the reason,
 * and what loading the keys throws.
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
      clockTolerance: CLOCK_TOLERANCE,
    }));
  } catch (error) {
    throw error instanceof AppError ? error : badToken(reasonOf(error));
  }
  const { data, error } = claims.safeParse(payload);
  // The name of the claim only, because its value may be anything.
  if (!data) throw badToken(`has no valid "${String(error.issues[0]?.path[0] ?? 'payload')}"`);
  if (![clientId, 'EVE Online'].every((name) => data.aud.includes(name)))
    throw badToken('was issued to another application: check ESI_CLIENT_ID');
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
