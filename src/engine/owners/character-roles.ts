import { z } from 'zod';
import { parseRow } from '../../esi/facts/parse-row.ts';
import { HOUR } from '../../lib/duration.ts';
import { AppError } from '../../lib/errors.ts';
import { updateRoles } from '../../store/owners/candidates.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { esiAuth } from './access-token.ts';
import { ROLES_ROUTE } from './login-rights.ts';

const rolesShape = z.object({ roles: z.array(z.string()).optional() });

/** Milliseconds: ESI caches roles for an hour, and states it; where it does not, they hold as long. */
const DEFAULT_CACHE_TIME = HOUR;

/**
 * Requests the roles of a character in its corporation, and stores them. Throws AppError and EsiError as any request
 * with a token does.
 */
export async function readRoles(
  engine: EngineContext,
  characterId: number,
  step: StepContext,
): Promise<readonly string[]> {
  const { json, expires } = await engine.esi.get({
    route: ROLES_ROUTE,
    params: { character_id: characterId },
    auth: esiAuth(engine, characterId, step),
    ...step,
  });
  const parsed = parseRow(rolesShape, json);
  if (!parsed.success)
    throw new AppError("ESI's answer about a character's roles cannot be read.", {
      code: 'ESI_BAD_SHAPE',
      verdict: 'retry',
    });
  const roles = parsed.data.roles ?? [];
  const until = expires ?? new Date(engine.clock.now() + DEFAULT_CACHE_TIME);
  await updateRoles(engine.db.pool, characterId, roles, until);
  return roles;
}
