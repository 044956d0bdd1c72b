import { memoryRateLimitStore } from '../test/support/memory-rate-limit-store.ts';
import type { BucketStore } from '../src/esi/limits/rate-limiter.ts';
import { createMetrics } from '../src/metrics/metrics.ts';
import { createCipher } from '../src/secrets/cipher.ts';
import type { SsoClient } from '../src/sso/sso-client.ts';
import type { Database } from '../src/store/database.ts';
import { createRandom, mixSeed, type Random } from '../simulator/random.ts';
import type { AnswerListener, Execution } from './dispatcher.ts';
import { isHarmless, type Plan, type Round, type SimulatedCollector } from './plan.ts';
import { ProductProcess } from './product-process.ts';
import { Scheduler } from './scheduler.ts';
import { Server } from './server.ts';
import { RoundSetup } from './round-setup.ts';
import { insertLogin } from './shared-rows.ts';
import type { Finding } from './subjects.ts';
import { runWorkflow, type WorkflowEnd, Workers } from './workflow.ts';
import { createWorld, emptyStage, findLeftovers, type World } from './world.ts';

/** The first moment of every history. */
const START = Date.parse('2026-11-20T14:00:00Z');

/** Rounds without trouble at the end: a doubt takes two, and what became of an order is known a round later. */
const LAST_ROUNDS = 3;

/** Requests in a round for pages that do not exist: two of each of three attempts to read a set, by two processes. */
const MAX_MISSING = 12;

/** Milliseconds that a reading takes at most: 45 pages of up to 0.4 s, three lists. */
const LONGEST_READING = 60_000;

/** Seconds: after this time all of an owner's lists have a newer version. */
const LAST_DELAY = 3_700;

/** Findings that are told: the others follow from them. */
const MAX_FINDINGS = 8;

const CIPHER = createCipher([Buffer.alloc(32, 7)]);

export interface HistoryOptions {
  readonly db: Database;
  /** Sets the world's ids apart from those of others in the database. */
  readonly number: number;
  readonly trace?: (line: string) => void;
}

/** Plays a history, and returns what the product did wrong. */
export async function playHistory(plan: Plan, options: HistoryOptions): Promise<Finding[]> {
  const history = new History(plan, options);
  return history.play();
}

class History {
  private readonly plan: Plan;
  private readonly db: Database;
  private readonly trace: (line: string) => void;
  private readonly random: Random;
  private readonly world: World;
  private readonly scheduler: Scheduler;
  private readonly server: Server;
  private readonly workers: Workers;
  private readonly setup: RoundSetup;
  private readonly limits: BucketStore;
  private readonly answered = new Map<string, { expires: number; execution: Execution | undefined }>();
  private readonly findings: Finding[] = [];
  private turn = 0;
  private roundTurn = 0;
  private round: Round | undefined;
  private isCrashDue = false;

  constructor(plan: Plan, { db, number, trace = () => undefined }: HistoryOptions) {
    this.plan = plan;
    this.db = db;
    this.trace = trace;
    const random = (salt: number) => createRandom(mixSeed(plan.seed, salt));
    this.random = random(11);
    this.world = createWorld(number, plan.seed, START);
    this.scheduler = new Scheduler({
      random: random(12),
      start: START,
      blockers: async (pid) => {
        const { rows } = await db.pool.query<{ pids: number[] }>('SELECT pg_blocking_pids($1) AS pids', [
          pid,
        ]);
        return rows[0]!.pids;
      },
      before: ({ process }) => this.interrupt('before', process as ProductProcess),
      after: ({ process }) => this.interrupt('after', process as ProductProcess),
      trace,
    });
    const now = () => this.scheduler.now();
    this.limits = memoryRateLimitStore(now);
    this.server = new Server({
      sources: this.world.sources,
      random: random(13),
      now,
      nameOf: (itemId) => this.world.nameOf(itemId),
    });
    if (plan.marketTokens !== undefined) this.server.budget = { tokens: plan.marketTokens, spent: [] };
    this.setup = new RoundSetup(plan, this.world, this.server, now);
    const parts = {
      scheduler: this.scheduler,
      server: this.server,
      db,
      limits: this.limits,
      random: random(14),
      cipher: CIPHER,
      sso: { clientId: 'simulation', isFailing: () => false } as SsoClient,
      metrics: createMetrics(),
      listen: this.listen,
    };
    this.workers = new Workers((name) => new ProductProcess(name, parts), 2);
  }

  async play(): Promise<Finding[]> {
    await insertLogin(this.db, CIPHER, this.world.ids, new Date(START + 365 * 86_400_000));
    try {
      for (const [index, round] of this.plan.rounds.entries()) {
        await this.playRound(round, index);
        if (this.findings.length > 0) return this.findings.slice(0, MAX_FINDINGS);
      }
      await this.playLastRounds();
    } catch (error) {
      this.findings.push(
        `the simulation stopped: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    } finally {
      this.workers.killAll();
    }
    return this.findings.slice(0, MAX_FINDINGS);
  }

  /** Rounds in which nothing goes wrong, after all trouble is over: everything must be settled then. */
  private async playLastRounds(): Promise<void> {
    const used = new Set(this.plan.rounds.map(({ collector }) => collector));
    this.server.budget = undefined;
    this.scheduler.advance(3 * 3_600_000);
    this.world.orders.settledAt = this.scheduler.now() - 3_600_000;
    for (let round = 0; round < LAST_ROUNDS; round++)
      for (const collector of used)
        await this.playRound({ collector, delay: LAST_DELAY, mishaps: [] }, this.plan.rounds.length + round);
    if (this.findings.length > 0) return;
    for (const collector of used)
      for (const subject of this.world.subjects[collector])
        this.findings.push(...(await subject.finish(this.db.pool)));
    const targets = [...used].map((collector) => this.world.targetOf(collector));
    this.findings.push(...(await findLeftovers(this.db, targets)));
  }

  private async playRound(round: Round, index: number): Promise<void> {
    const { scheduler, world, server } = this;
    const { collector } = round;
    const target = world.targetOf(collector);
    await this.waitUntilDue(collector, target, round.delay);
    const isClean =
      round.mishaps.every((mishap) => isHarmless(mishap) || mishap.kind === 'route') &&
      this.workers.unfinished.size === 0 &&
      scheduler.now() > server.outageUntil + 120_000;
    this.round = round;
    this.roundTurn = this.turn;
    this.setup.prepare(round, index);
    const enoughUntil = this.enoughUntil(round);
    this.trace(
      `--- round ${index}: ${collector} at ${new Date(scheduler.now()).toISOString()} ${JSON.stringify(round.mishaps)}`,
    );
    const end = await scheduler.run(
      runWorkflow({
        scheduler,
        workers: this.workers,
        random: this.random,
        collector,
        target,
        workflowRunId: `${world.ids.first}-${index}-${collector}`,
        mishaps: round.mishaps,
        turn: () => this.turn,
        recover: () => this.recover(),
        trace: this.trace,
      }),
    );
    this.trace(`--- round ${index} ended: ${JSON.stringify(end)}`);
    if (isClean && scheduler.now() > enoughUntil)
      this.findings.push(`${collector}: a run without trouble took until the next version`);
    await this.judge(collector, end, isClean);
  }

  /** Until when a run has time enough: nothing but a doubt makes it wait for the next version. */
  private enoughUntil({ collector, mishaps }: Round): number {
    if (this.plan.marketTokens !== undefined || !mishaps.every(isHarmless)) return Infinity;
    const now = this.scheduler.now();
    const ends = this.world.subjects[collector].map(({ source }) => source.current(now).expires);
    return Math.min(...ends.filter((end) => end - now > LONGEST_READING));
  }

  private async judge(collector: SimulatedCollector, end: WorkflowEnd, isClean: boolean): Promise<void> {
    const { server, findings } = this;
    const broken = server.brokenPath;
    server.brokenPath = undefined;
    server.clockError = 0;
    for (const source of this.world.sources) source.nextFault = undefined; // where no version came
    if (isClean && end.outcome === 'failed' && broken === undefined)
      findings.push(`${collector}: a run without trouble failed: ${end.detail}`);
    findings.push(...server.overspent.splice(0));
    if (server.missing > MAX_MISSING)
      findings.push(`${collector}: ${server.missing} pages were requested that do not exist`);
    // With few tokens a set is read over several snapshots, which is nobody's fault.
    const isJudged = isClean && (this.plan.marketTokens === undefined || end.outcome !== 'torn');
    for (const subject of this.world.subjects[collector]) {
      const isItsClean = isJudged && subject.source.options.path !== broken;
      findings.push(...(await subject.check(this.db.pool, { isClean: isItsClean, outcome: end.outcome })));
    }
  }

  private async waitUntilDue(collector: string, target: string, delay: number): Promise<void> {
    const { rows } = await this.db.pool.query<{ due: Date | null }>(
      'SELECT min(expires) AS due FROM published_sets WHERE collector = $1 AND target = $2',
      [collector, target],
    );
    const due = (rows[0]?.due?.getTime() ?? 0) + 1_000 + delay * 1_000;
    this.scheduler.advance(Math.max(1_000, due - this.scheduler.now()));
  }

  private interrupt(when: 'before' | 'after', process: ProductProcess): void {
    if (when === 'before') this.turn++;
    const turn = this.turn - this.roundTurn;
    for (const mishap of this.round?.mishaps ?? []) {
      if (mishap.kind === 'kill' && mishap.turn === turn && mishap.when === when) {
        this.trace(`${process.name} is killed`);
        process.kill();
      }
      if (mishap.kind === 'crash' && mishap.turn === turn && when === 'before') this.crash();
    }
  }

  /** The database server crashes: nothing goes on, and unlogged tables are empty when it is back. */
  private crash(): void {
    this.trace('the database server crashes');
    this.workers.killAll();
    this.isCrashDue = true;
  }

  /** After a crash of the database server, before anything else: its unlogged tables are empty. */
  private async recover(): Promise<void> {
    if (!this.isCrashDue) return;
    this.isCrashDue = false;
    const targets = ['market-orders', 'assets'].map((one) => this.world.targetOf(one as SimulatedCollector));
    await emptyStage(this.db, targets);
  }

  private readonly listen: AnswerListener = ({ method, path }, { expires }, execution) => {
    const now = this.scheduler.now();
    const before = this.answered.get(path);
    const isEarly = method === 'GET' && before !== undefined && now < before.expires;
    const ended = before?.execution?.isOrphan ? undefined : before?.execution?.ended;
    if (isEarly && ended !== undefined && (execution?.began ?? 0) >= ended)
      this.findings.push(
        `${path} is requested ${Math.round((before.expires - now) / 1_000)} s before its Expires, by a step that began after it was read`,
      );
    if (expires !== undefined) this.answered.set(path, { expires, execution });
  };
}
