import type { EngineContext } from '../../../src/engine/engine-context.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { createMetrics } from '../../../src/metrics/metrics.ts';
import { createCipher } from '../../../src/secrets/cipher.ts';
import type { SsoClient } from '../../../src/sso/sso-client.ts';
import { type TestClock, testClock } from '../../support/test-clock.ts';
import { type TestDatabase, testDatabase } from '../../support/test-database.ts';
import { TEST_KEY } from '../../support/test-secrets.ts';

/** The services for owners on a new database, without ESI. */
export interface TestOwners {
  readonly context: EngineContext;
  readonly db: TestDatabase;
  readonly clock: TestClock;
  /** A context with other keys. The first one encrypts. */
  withKeys(...keys: Buffer[]): EngineContext;
  /** Inserts a character. */
  addCharacter(id: number, name?: string): Promise<void>;
  /** Inserts a token with these columns and returns its id. */
  addToken(characterId: number, columns: Record<string, unknown>): Promise<number>;
  token(id: number): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

const rejectRequest = () => Promise.reject(new Error('there is no ESI in this test'));

export async function testOwners(sso?: SsoClient): Promise<TestOwners> {
  const clock = testClock();
  const db = await testDatabase(new Date(clock.now()));
  const withKeys = (...keys: Buffer[]) =>
    ({
      db,
      clock,
      log: silentLog,
      metrics: createMetrics(),
      esi: { get: rejectRequest, post: rejectRequest },
      cipher: createCipher(keys),
      sso,
    }) as unknown as EngineContext;
  return {
    db,
    clock,
    withKeys,
    context: withKeys(TEST_KEY),
    async addCharacter(id, name = `Pilot ${id}`) {
      await db.rows('INSERT INTO characters (character_id, name) VALUES ($1, $2)', [id, name]);
    },
    async addToken(characterId, columns) {
      const names = ['character_id', ...Object.keys(columns)];
      const parameters = names.map((_, i) => `$${i + 1}`);
      const text = `INSERT INTO esi_tokens (${names.join(', ')}) VALUES (${parameters.join(', ')}) RETURNING id`;
      const [row] = await db.rows<{ id: number }>(text, [characterId, ...Object.values(columns)]);
      return row!.id;
    },
    async token(id) {
      return (await db.rows('SELECT * FROM esi_tokens WHERE id = $1', [id]))[0]!;
    },
    close: () => db.drop(),
  };
}
