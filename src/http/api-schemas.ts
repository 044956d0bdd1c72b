import { z } from '@hono/zod-openapi';
import { LONGEST_INTERVAL } from '../engine/owners/assignment-service.ts';

/* The schemas of the API: they validate requests, type responses, and describe both in openapi.json. */

const moment = z.iso.datetime().nullable();
const count = z.int().min(0);
/** The bounds are described here and checked by the assignment service, which throws BAD_INTERVAL. */
const interval = z.int().optional().openapi({ minimum: 1, maximum: LONGEST_INTERVAL });

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().optional(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .openapi('Problem');

export const idParam = z.object({
  id: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, 'a number')
    .transform(Number)
    .openapi({ param: { name: 'id', in: 'path' }, type: 'integer', example: 1 }),
});

export const registerBody = z
  .strictObject({
    collectors: z
      .array(z.string().max(100))
      .max(50)
      .optional()
      .openapi({ example: ['wallet', 'assets'] }),
  })
  .openapi('Register');

export const startedLogin = z
  .object({ url: z.url(), state: z.string(), expiresAt: z.iso.datetime() })
  .openapi('StartedLogin');

export const callbackQuery = z.object({
  state: z.string().max(1_000).optional(),
  code: z.string().max(4_000).optional(),
  error: z.string().max(1_000).optional(),
});

export const loginReport = z
  .object({
    characterId: z.int(),
    name: z.string(),
    granted: z.array(z.string()),
    missing: z.array(z.string()),
    enabled: z.array(z.string()),
    renewed: z.boolean(),
    message: z.string(),
  })
  .openapi('LoginReport');

export const token = z
  .object({
    id: z.int(),
    characterId: z.int(),
    name: z.string(),
    corporationId: z.int().nullable(),
    corporation: z.string().nullable(),
    scopes: z.array(z.string()).readonly(),
    isActive: z.boolean(),
    reason: z.string().nullable(),
    expiresAt: moment,
    lastRefreshedAt: moment,
  })
  .openapi('Token');

export const enableBody = z.strictObject({ enabled: z.boolean().default(true) }).openapi('Enable');

export const assignment = z
  .object({
    id: z.int(),
    target: z.string().openapi({ example: 'character/90000001' }),
    owner: z.string(),
    collector: z.string().openapi({ example: 'wallet' }),
    isEnabled: z.boolean(),
    intervalMinutes: z.int(),
    lastCollectedAt: moment,
    nextCollectionAt: moment,
    note: z.string().nullable(),
  })
  .openapi('Assignment');

export const newAssignment = z
  .strictObject({
    collector: z.string().max(100),
    target: z.string().max(100),
    intervalMinutes: interval,
  })
  .openapi('NewAssignment');

export const assignmentChange = z
  .strictObject({ isEnabled: z.boolean().optional(), intervalMinutes: interval })
  .refine((change) => Object.keys(change).length > 0, 'isEnabled, intervalMinutes, or both')
  .openapi('AssignmentChange', { minProperties: 1 });

/** A name to filter by. PostgreSQL rejects text that contains U+0000. */
const filter = z
  .string()
  .max(100)
  .regex(/^[^\0]*$/, 'a name');

/** Rows of a list of runs. */
const LIMIT = { minimum: 1, maximum: 1_000, default: 50 };

export const runQuery = z.object({
  collector: filter.optional(),
  target: filter.optional(),
  limit: z
    .string()
    .regex(/^\d{1,4}$/, 'a number from 1 to 1000')
    .transform(Number)
    .pipe(z.int().min(LIMIT.minimum).max(LIMIT.maximum))
    .default(LIMIT.default)
    .openapi({ type: 'integer', ...LIMIT }),
});

export const run = z
  .object({
    runId: z.int(),
    collector: z.string(),
    target: z.string(),
    resource: z.string(),
    workflowId: z.string().nullable(),
    startedAt: z.iso.datetime(),
    finishedAt: moment,
    outcome: z.string().nullable(),
    pages: count,
    rowsRead: count,
    rowsInserted: count,
    rowsChanged: count,
    rowsRemoved: count,
    rowsRejected: count,
    requests: count,
    lastModified: moment,
    error: z.string().nullable(),
    note: z.string().nullable(),
  })
  .openapi('Run');

export const newRun = z
  .strictObject({ collector: z.string().max(100), target: z.string().max(100).optional() })
  .openapi('NewRun');

export const startedRun = z.object({ workflowId: z.string() }).openapi('StartedRun');

export const targetStatus = z
  .object({
    collector: z.string(),
    target: z.string(),
    state: z
      .enum(['ok', 'late', 'failing', 'torn', 'refused', 'never', 'running', 'blocked', 'disabled'])
      .openapi({
        description:
          '`ok`: fresh. `late`: no successful update for three intervals. `failing`: the last run failed. `torn`, ' +
          '`refused`: as the last run. `never`: not collected yet. `running`: the first run is under way. `blocked`: no ' +
          'login has access at the moment. `disabled`: its assignment is disabled.',
        example: 'ok',
      }),
    detail: z.string().openapi({ description: 'What is wrong, or how far a run is; for people' }),
    running: z.boolean(),
    readAt: moment,
    lastModified: moment,
    expires: moment,
    rows: count.openapi({ description: 'Rows of the newest snapshot that are kept' }),
    lastOutcome: z.string().nullable(),
    lastFinished: moment,
    lastError: z.string().nullable(),
  })
  .openapi('TargetStatus');

/** A number up to 2^53, beyond that its digits as text: a number of JSON would lose digits in most programs. */
const exactInt = z.union([z.int(), z.string()]);

export const journalGap = z
  .object({
    id: z.int(),
    target: z.string().openapi({ example: 'character/90000001' }),
    owner: z.string(),
    division: z.int().nullable(),
    afterJournalId: exactInt,
    beforeJournalId: exactInt,
    afterDate: z.iso.datetime(),
    beforeDate: z.iso.datetime(),
    missingAmount: z
      .string()
      .openapi({ description: 'ISK that the missing rows come to', example: '-12.50' }),
    foundAt: z.iso.datetime(),
  })
  .openapi('JournalGap');

export const status = z
  .object({
    targets: z.array(targetStatus).readonly(),
    paused: z.string().nullable(),
    drifts: z.array(z.object({ route: z.string(), drift: z.string(), adopted: z.boolean() })).readonly(),
    tokens: z.array(token).readonly(),
    assignments: z.array(assignment).readonly(),
    gaps: z.array(journalGap).readonly(),
  })
  .openapi('Status');

const check = z.object({ status: z.enum(['ok', 'degraded', 'down']), detail: z.string() });

export const health = z
  .object({
    status: z.enum(['ok', 'degraded', 'down']),
    checks: z.object({ database: check, temporal: check, esi: check, progress: check }),
  })
  .openapi('Health');
