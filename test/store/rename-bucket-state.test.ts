import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { viewBucket } from '../../src/lib/token-bucket-view.ts';
import { readBuckets } from '../../src/store/limits/rate-limit-store.ts';
import { testDatabase } from '../support/database.ts';

const MIGRATION = 'prisma/migrations/20261128000000_plain_names/migration.sql';

test('the migration to plain names renames buckets and the keys of their stored state', async () => {
  const db = await testDatabase();
  try {
    const limit = { tokens: 300, windowMs: 60_000 };
    const until = Date.now() + 600_000;
    const states = {
      ceiling: {
        slots: [[until, 7, 'a']],
        leases: {},
        foreign: 0,
        foreignAt: 0,
        limit,
        drip: { content: 5, at: 1 },
      },
      errors: { slots: [], leases: {}, foreign: 3, foreignAt: until, limit, held: { until, why: 'x' } },
      'hidden /markets/{region_id}/history': {
        slots: [],
        leases: {},
        foreign: 0,
        foreignAt: 0,
        strict: limit,
      },
      'industry/ip': { slots: [], leases: { a: { tokens: 2, until } }, foreign: 0, foreignAt: 0 },
    };
    for (const [bucket, state] of Object.entries(states))
      await db.pool.query('INSERT INTO esi_buckets (bucket, state) VALUES ($1, $2)', [bucket, state]);
    const sql = await readFile(path.join(import.meta.dirname, '../..', MIGRATION), 'utf8');
    await db.pool.query(sql.slice(sql.indexOf('UPDATE "esi_buckets"')));
    const buckets = await readBuckets(db);
    expect(Object.fromEntries(buckets.map(({ bucket, state }) => [bucket, state]))).toEqual({
      ESI_RATE_LIMIT: {
        slots: [[until, 7, 'a']],
        leases: {},
        externalUsage: 0,
        externalUsageAt: 0,
        limit,
        burst: { tokens: 5, at: 1 },
      },
      'error limit': {
        slots: [],
        leases: {},
        externalUsage: 3,
        externalUsageAt: until,
        limit,
        blocked: { until, reason: 'x' },
      },
      'hidden limit /markets/{region_id}/history': {
        slots: [],
        leases: {},
        externalUsage: 0,
        externalUsageAt: 0,
        stricterLimit: limit,
      },
      'industry/ip': { slots: [], leases: { a: { tokens: 2, until } }, externalUsage: 0, externalUsageAt: 0 },
    });
    const errors = buckets.find(({ bucket }) => bucket === 'error limit')!;
    expect(viewBucket('error limit', errors.state, errors.now)).toMatchObject({ blocked: 'x', free: 0 });
  } finally {
    await db.drop();
  }
});
