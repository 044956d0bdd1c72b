import type { Database } from './database.ts';

/** The status of one target of a collector. Moments are ISO 8601. */
export interface TargetStatus {
  readonly collector: string;
  readonly target: string;
  /**
   * `ok`: fresh. `late`: no successful update for three intervals. `failing`: the last run failed. `torn`, `refused`: as
   * the run. `blocked`: no login has access at the moment, `detail` says what is missing. `disabled`: the assignment is.
   */
  readonly state:
    'ok' | 'late' | 'failing' | 'torn' | 'refused' | 'never' | 'running' | 'blocked' | 'disabled';
  readonly detail: string;
  readonly running: boolean;
  /** When the newest snapshot was read or confirmed. */
  readonly readAt: string | null;
  /** The moment of the newest snapshot (Last-Modified). */
  readonly lastModified: string | null;
  readonly expires: string | null;
  /** Rows of the newest snapshot that are kept: without rejected and repeated ones. */
  readonly rows: number;
  readonly lastOutcome: string | null;
  readonly lastFinished: string | null;
  readonly lastError: string | null;
}

/** A target whose status is wanted. */
export interface WantedTarget {
  readonly collector: string;
  readonly target: string;
  /** Milliseconds between runs. */
  readonly every: number | undefined;
  /** The resources of a collector that reads several routes for a target. */
  readonly resources?: readonly string[];
  /** Whether it is not collected, because its assignment is disabled. What was collected stays. */
  readonly isDisabled?: boolean;
  /** Why an assignment is blocked, or collected in part only. */
  readonly note?: string | undefined;
}

/** Intervals without a successful update: one may be missed for many reasons, three may not. */
const LATE_AFTER = 3;

interface ResourceRow {
  readonly collector: string;
  readonly target: string;
  readonly resource: string;
}

const keyOf = ({ collector, target, resource }: ResourceRow) => `${collector} ${target} ${resource}`;
const index = <T extends ResourceRow>(rows: readonly T[]) => new Map(rows.map((row) => [keyOf(row), row]));

/** Reads the status of the wanted targets. A target of several resources has the worst status of them. */
export async function readStatus(
  db: Pick<Database, 'prisma' | 'pool'>,
  wanted: readonly WantedTarget[],
  now: Date,
): Promise<TargetStatus[]> {
  const collectors = [...new Set(wanted.map(({ collector }) => collector))];
  const resources = wanted.flatMap(({ collector, target, resources: names = [''] }) =>
    names.map((resource) => ({ collector, target, resource })),
  );
  const [sets, finished, running] = await Promise.all([
    db.prisma.publishedSet.findMany({ where: { collector: { in: collectors } } }).then(index),
    newestRuns(db, resources, 'IS NOT NULL').then(index),
    newestRuns(db, resources, 'IS NULL').then(index),
  ]);
  return wanted.map((target) => {
    const states = (target.resources ?? ['']).map((resource) => {
      const key = keyOf({ ...target, resource });
      return statusOf(target, sets.get(key), finished.get(key), running.get(key), now);
    });
    const status = worst(states);
    if (target.isDisabled === true)
      return { ...status, state: 'disabled', detail: 'the assignment is disabled' };
    return target.note === undefined ? status : blocked(status, target.note);
  });
}

type SetRow = Awaited<ReturnType<Database['prisma']['publishedSet']['findMany']>>[number];

function statusOf(
  { collector, target, every }: WantedTarget,
  set: SetRow | undefined,
  last: RunRow | undefined,
  open: RunRow | undefined,
  now: Date,
): TargetStatus {
  const readAt = set && set.run_id > 0n ? set.read_at : null;
  const base = {
    collector,
    target,
    running: open !== undefined,
    readAt: readAt?.toISOString() ?? null,
    lastModified: set?.last_modified?.toISOString() ?? null,
    expires: set?.expires?.toISOString() ?? null,
    rows: Number(set?.rows ?? 0),
    lastOutcome: last?.outcome ?? null,
    lastFinished: last?.finished_at?.toISOString() ?? null,
    lastError: last?.error ?? null,
  };
  return { ...base, ...stateOf(base, every, now, formatProgress(open)) };
}

/** Worst first. `never` is last, because not every owner has data for every resource. */
const SEVERITY: readonly TargetStatus['state'][] = [
  'failing',
  'refused',
  'torn',
  'late',
  'ok',
  'blocked',
  'running',
  'never',
];

function worst(states: readonly TargetStatus[]): TargetStatus {
  const [first, ...others] = states.toSorted((a, b) => SEVERITY.indexOf(a.state) - SEVERITY.indexOf(b.state));
  return others.reduce<TargetStatus>(
    (sum, one) => ({
      ...sum,
      running: sum.running || one.running,
      rows: sum.rows + one.rows,
      readAt: earliest(sum.readAt, one.readAt),
      lastModified: earliest(sum.lastModified, one.lastModified),
      expires: earliest(sum.expires, one.expires),
    }),
    first!,
  );
}

/** The age of a target is that of its oldest resource. */
const earliest = (a: string | null, b: string | null) => (a === null || (b !== null && b < a) ? b : a);

/** States that tell more than the note of the assignment. */
const TOLD = new Set<TargetStatus['state']>(['failing', 'torn', 'refused']);

/** Adds the note of a missing login, scope or role. */
const blocked = (status: TargetStatus, note: string): TargetStatus =>
  TOLD.has(status.state) ? status : { ...status, state: 'blocked', detail: note };

/**
 * The details of targets, in their order, as a table for people shows them. A cause is told once: `elsewhere` says where
 * those of blocked ones are told.
 */
export function detailsForPeople(targets: readonly TargetStatus[], elsewhere: string): string[] {
  const told = new Set<string>();
  return targets.map(({ state, detail }) => {
    if (state === 'blocked') return elsewhere;
    if (!TOLD.has(state)) return detail;
    if (told.has(detail)) return 'as above';
    told.add(detail);
    return detail;
  });
}

interface RunRow extends ResourceRow {
  outcome: string | null;
  finished_at: Date | null;
  error: string | null;
  progress_done: number | null;
  progress_total: number | null;
}

/** The newest run of each target: one index lookup per target, however many runs there are. */
async function newestRuns(
  db: Pick<Database, 'pool'>,
  wanted: readonly ResourceRow[],
  finished: 'IS NULL' | 'IS NOT NULL',
): Promise<RunRow[]> {
  const { rows } = await db.pool.query<RunRow>(
    `SELECT r.* FROM unnest($1::text[], $2::text[], $3::text[]) AS w (collector, target, resource)
      CROSS JOIN LATERAL (SELECT collector, target, resource, outcome, finished_at, error, progress_done, progress_total FROM collection_runs r
                           WHERE r.collector = w.collector AND r.target = w.target AND r.resource = w.resource
                             AND r.finished_at ${finished}
                           ORDER BY r.started_at DESC LIMIT 1) r`,
    [
      wanted.map(({ collector }) => collector),
      wanted.map(({ target }) => target),
      wanted.map(({ resource }) => resource),
    ],
  );
  return rows;
}

type Base = Omit<TargetStatus, 'state' | 'detail'>;

/** The progress of a run that works through a list of its own: ` (264 of 785)`. */
function formatProgress(run: RunRow | undefined): string {
  return run?.progress_total ? ` (${run.progress_done ?? 0} of ${run.progress_total})` : '';
}

function stateOf(
  base: Base,
  every: number | undefined,
  now: Date,
  progress: string,
): Pick<TargetStatus, 'state' | 'detail'> {
  const { readAt, lastOutcome, lastError, running } = base;
  if (lastOutcome === 'failed') return { state: 'failing', detail: lastError ?? 'the last run failed' };
  if (lastOutcome === 'refused')
    return { state: 'refused', detail: lastError ?? 'the last snapshot is suspect' };
  if (lastOutcome === 'torn') {
    return {
      state: 'torn',
      detail: lastError ?? 'the pages did not match',
    };
  }
  if (readAt === null) {
    return running
      ? { state: 'running', detail: `first update is running${progress}` }
      : { state: 'never', detail: 'not collected yet' };
  }
  const age = now.getTime() - Date.parse(readAt);
  if (every !== undefined && age > LATE_AFTER * every) {
    return {
      state: 'late',
      detail: `the last update was ${Math.round(age / 60_000).toLocaleString('en')} minutes ago`,
    };
  }
  return { state: 'ok', detail: running ? `updating${progress}` : '' };
}
