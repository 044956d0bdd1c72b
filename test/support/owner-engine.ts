import { engineSteps } from '../../src/engine/run/engine-steps.ts';
import type { EngineContext, StepContext } from '../../src/engine/engine-context.ts';
import type { RunSteps } from '../../src/engine/run/run-steps.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { OWNER_SCOPES } from '../../simulator/owners/owner-scopes.ts';
import { openDatabase } from '../../src/store/database.ts';
import type { SimulatorOptions } from '../../simulator/index.ts';
import { type TestEngine, testEngine } from './test-engine.ts';

export const ANNA = 90_000_001; // director of the corporation below
export const BRAM = 90_000_002; // the same corporation, without roles
export const CORPORATION = 98_000_001;

export const characterTarget = (id: number) => `character/${id}`;
export const corporationTarget = (id: number) => `corporation/${id}`;

/**
 * Logs a character in without a browser: inserts the rows with plaintext tokens, as a person may do by SQL. The access
 * token is valid for twenty minutes of the test's clock.
 */
export async function logIn(
  engine: Pick<TestEngine, 'db' | 'sim'> & { readonly clock: Clock },
  characterId: number,
  scopes: readonly string[] = OWNER_SCOPES,
): Promise<void> {
  const { db, sim, clock } = engine;
  const { accessToken, refreshToken, expiresIn } = await sim.sso.issue(characterId, scopes);
  const { name, corporationId } = sim.owners.character(characterId);
  await db.pool.query(
    `INSERT INTO corporations (corporation_id, name) VALUES ($1, 'Proof of Concept') ON CONFLICT DO NOTHING`,
    [corporationId],
  );
  await db.pool.query(
    `INSERT INTO characters (character_id, name, corporation_id) VALUES ($1, $2, $3)
     ON CONFLICT (character_id) DO UPDATE SET corporation_id = excluded.corporation_id`,
    [characterId, name, corporationId],
  );
  const { rows } = await db.pool.query<{ id: number }>(
    `INSERT INTO esi_tokens (character_id, character_name, owner_hash, access_token, refresh_token, scopes, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (character_id) DO UPDATE SET access_token = excluded.access_token, is_active = true,
       refresh_token = excluded.refresh_token, expires_at = excluded.expires_at, owner_hash = excluded.owner_hash
     RETURNING id`,
    [
      characterId,
      name,
      sim.sso.ownerHash(characterId),
      accessToken,
      refreshToken,
      scopes.join(','),
      new Date(clock.now() + expiresIn * 1_000),
    ],
  );
  await db.pool.query(
    `INSERT INTO esi_token_scopes (token_id, scope) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING`,
    [rows[0]!.id, scopes],
  );
}

/** The key of a run of an owner's collector, as Temporal names it. */
export const runKey = (collector: string, target: string, workflowRunId: string, workflowId = target) => ({
  collector,
  target,
  workflowId: `${collector}/${workflowId}`,
  workflowRunId,
});
export type RunKey = ReturnType<typeof runKey>;

/** The steps of a run, in a context of their own as in another process. */
export const createSteps = (engine: TestEngine, key: RunKey, step: StepContext = {}): RunSteps =>
  engineSteps(engine.restart(), key, step);

/** The steps of a run in a process that is killed when `when` returns true for a heartbeat. */
export function stepsKilledWhen(
  engine: TestEngine,
  key: RunKey,
  when: (detail: { page?: number } | undefined) => boolean,
): RunSteps {
  const stop = new AbortController();
  const heartbeat = (detail: unknown) => when(detail as { page?: number }) && stop.abort(new Error('killed'));
  return createSteps(engine, key, { signal: stop.signal, heartbeat });
}

/** The number of requests for each path of a route. */
export function countRequestsByPath(engine: TestEngine, route: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const request of engine.sim.requests())
    if (request.route.endsWith(route)) counts[request.path] = (counts[request.path] ?? 0) + 1;
  return counts;
}

/**
 * Runs `work` in a process that is killed at the first statement for which `isKilledAt` returns true: that statement
 * and all later ones never reach the database, and open transactions are rolled back. Returns `killed`, or the result.
 */
export async function runUntilKilled<T>(
  engine: TestEngine,
  isKilledAt: (text: string, statement: number) => boolean,
  work: (context: EngineContext) => Promise<T>,
): Promise<T | 'killed'> {
  const db = openDatabase({ url: engine.db.url, maxConnections: 5, minConnections: 0, log: silentLog });
  let statements = 0;
  let isKilled = false;
  db.pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    client.query = ((...args: unknown[]) => {
      const [first] = args;
      isKilled ||= isKilledAt(typeof first === 'string' ? first : 'COPY', ++statements);
      if (isKilled) throw new Error('killed');
      return query(...args);
    }) as typeof client.query;
  });
  try {
    const result = await work({ ...engine.restart(), db });
    return isKilled ? 'killed' : result;
  } catch (error) {
    if (!isKilled) throw error;
    return 'killed';
  } finally {
    await db.close();
  }
}

/** An engine with the universe collected and Anna logged in. */
export async function ownerEngine(owners?: SimulatorOptions['owners']): Promise<TestEngine> {
  const engine = await testEngine(owners ? { owners } : {});
  await engine.collect('universe');
  await logIn(engine, ANNA);
  return engine;
}

/** Advances the clock; ESI then serves owners' data as `change` leaves it. */
export async function advance(engine: TestEngine, ms: number, change?: () => unknown): Promise<void> {
  engine.clock.advance(ms);
  await change?.();
  engine.sim.owners.takeSnapshots();
}

/** Advances the clock past the hour that ESI caches owners' data for. */
export const advanceOneHour = (engine: TestEngine, change?: () => unknown): Promise<void> =>
  advance(engine, 3_601_000, change);

export async function countRows(engine: TestEngine, table: string, where = 'true'): Promise<number> {
  return (await engine.db.rows<{ n: number }>(`SELECT count(*) AS n FROM ${table} WHERE ${where}`))[0]!.n;
}

/** Empties the staging tables, as a crash of the database server does: they are unlogged. */
export async function truncateStagingTables(engine: TestEngine): Promise<void> {
  const tables = await engine.db.rows<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'stage'::regnamespace AND relkind = 'r'`,
  );
  for (const { name } of tables) await engine.db.pool.query(`TRUNCATE stage.${name}`);
}
