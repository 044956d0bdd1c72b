import type { AssignmentView } from './assignment-service.ts';
import type { TokenView } from './token-service.ts';

/** The name of a login as reasons give it. */
const nameOf = ({ name, characterId }: TokenView): string => name || `character ${characterId}`;

/** Why a disabled login is off, with its name. */
export const causeOfLogin = (login: TokenView): string =>
  `${nameOf(login)}: ${login.reason ?? 'The login is disabled.'}`;

/**
 * Why an assignment is blocked, with the name of the login or the owner that it is about: the same text for all
 * assignments that have the same cause. Null where all is well, or nothing is to be collected.
 */
export function causeOfAssignment(
  { target, owner, note, isEnabled }: AssignmentView,
  logins: readonly TokenView[],
): string | null {
  if (note === null || !isEnabled) return null;
  if (logins.some((login) => note.startsWith(`${nameOf(login)}: `))) return note;
  // A login that is lost leaves its reason without its name.
  const lost = logins.filter((login) => !login.isActive && login.reason === note);
  const own = lost.find(({ characterId }) => target === `character/${characterId}`);
  const login = own ?? (lost.length === 1 && target.startsWith('corporation/') ? lost[0] : undefined);
  return login ? causeOfLogin(login) : `${owner || target}: ${note}`;
}
