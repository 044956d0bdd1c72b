import { storeAffiliations } from '../../src/engine/owners/refresh-affiliations.ts';
import { tokenContext } from '../../src/engine/owners/access-token.ts';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import { OWNER_SCOPES } from '../../simulator/owners/owner-scopes.ts';
import type { IssuedTokens } from '../../simulator/sso/sso-control.ts';
import { insertGrant } from '../../src/store/owners/tokens.ts';

/** Calls a method of the simulator's `sso`, in this process or by its control interface. */
export type CallSso = (method: 'issue' | 'ownerHash', characterId: number) => Promise<unknown>;

/** Logs characters in without a browser, with all scopes, and stores their corporations. */
export async function logIn(
  context: EngineContext,
  sso: CallSso,
  characterIds: readonly number[],
): Promise<void> {
  const { cipher } = context;
  for (const characterId of characterIds) {
    const issued = (await sso('issue', characterId)) as IssuedTokens;
    const now = context.clock.now();
    const grant = {
      characterId,
      name: `Character ${characterId}`,
      ownerHash: String(await sso('ownerHash', characterId)),
      accessToken: cipher.encrypt(issued.accessToken, tokenContext(characterId, 'access_token')),
      refreshToken: cipher.encrypt(issued.refreshToken, tokenContext(characterId, 'refresh_token')),
      scopes: OWNER_SCOPES,
      expiresAt: new Date(now + issued.expiresIn * 1_000),
    };
    await context.db.transaction((client) => insertGrant(client, grant, new Date(now)));
  }
  await storeAffiliations(context, characterIds, {});
}
