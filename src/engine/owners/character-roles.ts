import { z } from 'zod';
import { AppError } from '../../lib/errors.ts';
import { writeRoles } from '../../store/owners/access.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { tokenOf } from './access-token.ts';

export const ROLES_SCOPE = 'esi-characters.read_corporation_roles.v1';

const answer = z.object({ roles: z.array(z.string()).optional() });

/** ESI caches roles for an hour, and says so; where it does not, that is how long they hold. */
const HOUR = 3_600_000;

/**
 * Asks ESI for the roles of a character in its corporation, and keeps them. Throws AppError and EsiError as any request
 * with a token does.
 */
export async function readRoles(
  engine: EngineContext,
  characterId: number,
  context: StepContext,
): Promise<readonly string[]> {
  const { json, expires } = await engine.esi.get({
    route: '/characters/{character_id}/roles',
    params: { character_id: characterId },
    auth: tokenOf(engine, characterId, context),
    ...context,
  });
  const parsed = answer.safeParse(json);
  if (!parsed.success) {
    throw new AppError("ESI's answer about a character's roles could not be read.", {
      code: 'ESI_BAD_SHAPE',
      verdict: 'retry',
    });
  }
  const roles = parsed.data.roles ?? [];
  await writeRoles(engine.db.pool, characterId, roles, expires ?? new Date(engine.clock.now() + HOUR));
  return roles;
}
