import type { EngineContext } from '../src/engine/engine-context.ts';
import { SnapshotCache } from '../src/engine/compare/snapshot-cache.ts';
import { EsiClient } from '../src/esi/esi-client.ts';
import type { BucketStore } from '../src/esi/limits/rate-limiter.ts';
import { SharedRateLimiter } from '../src/esi/limits/rate-limiter.ts';
import { silentLog } from '../src/lib/log.ts';
import type { Metrics } from '../src/metrics/metrics.ts';
import type { Cipher } from '../src/secrets/cipher.ts';
import type { SsoClient } from '../src/sso/sso-client.ts';
import type { Database } from '../src/store/database.ts';
import type { Random } from '../simulator/random.ts';
import { type AnswerListener, SimulatedConnection } from './dispatcher.ts';
import { gatedDatabase } from './gated-database.ts';
import type { Process, Scheduler } from './scheduler.ts';
import type { Server } from './server.ts';

/** What the processes of one world share. */
export interface WorldParts {
  readonly scheduler: Scheduler;
  readonly server: Server;
  readonly db: Database;
  readonly limits: BucketStore;
  readonly random: Random;
  readonly cipher: Cipher;
  readonly sso: SsoClient;
  readonly metrics: Metrics;
  readonly listen: AnswerListener;
}

/** One process of the product: the engine as production runs it, on the clock, the ESI and the turns of its world. */
export class ProductProcess implements Process {
  readonly name: string;
  readonly engine: EngineContext;
  private readonly breakConnections: () => void;
  private readonly deaths: (() => void)[] = [];
  isAlive = true;

  constructor(
    name: string,
    { scheduler, server, db, limits, random, cipher, sso, metrics, listen }: WorldParts,
  ) {
    this.name = name;
    const clock = scheduler.clock(this);
    const own = gatedDatabase(db, scheduler, this);
    this.breakConnections = () => own.break();
    const rateLimiter = new SharedRateLimiter({
      store: limits,
      worker: name,
      throttle: { perMinute: 3_000 },
      clock,
      log: silentLog,
    });
    const esi = new EsiClient({
      baseUrl: 'http://esi.simulation',
      userAgent: 'eve-data-collector simulation',
      rateLimiter,
      clock,
      log: silentLog,
      random,
      dispatcher: new SimulatedConnection({ server, scheduler, process: this, listen }),
      downtime: false,
    });
    this.engine = {
      esi,
      sde: { metadata: nothing, archive: nothing, close: nothing } as never,
      db: own,
      clock,
      log: silentLog,
      metrics,
      snapshots: new SnapshotCache({ db: own, clock, maxBytes: 1e6 }),
      settings: {
        marketRegions: [],
        universeSource: 'sde',
        esiRateLimit: 3_000,
        compatibilityDate: '2026-08-18',
        retention: {
          orderChanges: undefined,
          typeSeries: undefined,
          prices: undefined,
          runs: undefined,
          rejected: undefined,
        },
      },
      cipher,
      sso,
    };
  }

  /** Dies as by `kill -9`: nothing that it has begun is answered, and its transactions are rolled back. */
  kill(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.breakConnections();
    for (const tell of this.deaths) tell();
  }

  /** Resolves when the process dies. */
  death(): Promise<typeof DEAD> {
    return new Promise((resolve) => this.deaths.push(() => resolve(DEAD)));
  }
}

/** What a step returns whose process has died. */
export const DEAD = Symbol('dead');

const nothing = () => Promise.reject(new Error('the simulation has no static data'));
