import type { Call } from './esi-call.ts';
import { errorContent, type Content } from './route-content.ts';
import type { Owners } from './owners/owners.ts';
import type { Route } from './route.ts';

/** Refuses a token that ESI does not accept now. */
function refuseToken(call: Call): Content | undefined {
  const { bearer, access } = call;
  if (bearer === undefined) return errorContent(401, 'authorization not provided');
  if (!access) return errorContent(401, 'token is invalid');
  if (access.state === 'revoked')
    return { ...errorContent(401, 'token is revoked'), permanentRefusal: 'token' };
  if (access.state === 'expired' || call.at >= access.expiresAt) return errorContent(401, 'token is expired');
  return undefined;
}

/** A director has every role. */
function hasRole(roles: readonly string[], wanted: readonly string[]): boolean {
  return roles.includes('Director') || wanted.some((role) => roles.includes(role));
}

/** The refusal that precedes the route's own answer; undefined when the call is allowed. */
export function accessRefusal(owners: Owners, route: Route, call: Call, id: number): Content | undefined {
  const { scope, roles, template } = route;
  if (scope === undefined) return undefined;
  const bad = refuseToken(call);
  if (bad) return bad;
  const access = call.access as NonNullable<Call['access']>;
  if (!access.scopes.has(scope)) return errorContent(403, `Token is not valid for scope(s): ${scope}`);
  const { characterId } = access;
  if (template.startsWith('/characters/') && id !== characterId)
    return errorContent(403, 'Token is not valid for this character ID');
  if (!template.startsWith('/corporations/')) return undefined;
  const member = owners.findCharacter(characterId);
  if (member?.corporationId !== id) return errorContent(403, 'Character is not in the corporation');
  if (roles && !hasRole(member.roles, roles))
    return { ...errorContent(403, 'Character does not have required role(s)'), permanentRefusal: 'role' };
  return undefined;
}
