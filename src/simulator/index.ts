import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock, type Clock } from '../kernel/clock.ts';
import { createBudget, type BudgetLine } from './budget.ts';
import { readCall, type Call } from './call.ts';
import { CONTROL_PREFIX, handleControl } from './control.ts';
import { handleEsi, type Engine } from './esi-handler.ts';
import { createFaultBox, type Faults } from './faults.ts';
import { createHiddenLimiter, HIDDEN_LIMIT } from './hidden.ts';
import { createLimits } from './limits.ts';
import { createJudge, type Offence } from './offences.ts';
import { createRecords, type RequestRecord, type Records } from './records.ts';
import { findRoute } from './routes.ts';
import { handleSde, SDE_PREFIX } from './sde-handler.ts';
import { World } from './world.ts';

export type { Bucket } from './allowances.ts';
export type { BudgetLine } from './budget.ts';
export type { FaultOptions, Faults, LimitHeaders, RowChange, StatusFaultOptions } from './faults.ts';
export type { Offence, OffenceKind } from './offences.ts';
export type { RequestRecord } from './records.ts';
export type { Snapshot } from './book.ts';
export type * from './shapes.ts';
export type { World } from './world.ts';

export interface SimulatorOptions {
  /** Default: any free one. */
  port?: number;
  /** The same seed and the same sequence of turns give the same rows (on one day of the clock). */
  seed?: number;
  /** Drives Last-Modified, Expires, snapshots and limit windows. Default: the system's. */
  clock?: Clock;
  /** Added to each answer, in real time. Default 0. */
  latencyMs?: number;
  /** Number of orders by region id. */
  regions?: Record<number, number>;
  /** How long a region's orders are cached. Default 300. */
  cacheSeconds?: number;
  /** The share of a region's rows that changes at each turn. Default 0.0013. */
  churn?: number;
  universe?: 'small' | 'full';
  /** Default true: 429 and 420 as ESI has them. */
  enforceLimits?: boolean;
  /** Requests of one address for the market's history in any 60 s, which no header announces. Default 300. */
  hiddenLimit?: number;
}

export interface Simulator {
  /** The base of ESI. */
  url: string;
  /** The base of the static data. */
  sdeUrl: string;
  world: World;
  faults: Faults;
  offences(): Offence[];
  /** The last 200,000. */
  requests(): RequestRecord[];
  /** What was used of each limit, and the most that any window held. */
  budgetReport(): BudgetLine[];
  /** Forgets offences, requests and what the budget's report counts, but not what callers have been told. */
  resetCounters(): void;
  close(): Promise<void>;
}

/** The five trade hubs in miniature: several pages, two pages, and one page. */
const SMALL_WORLD = { 10000002: 2_500, 10000043: 1_200, 10000032: 800, 10000030: 400, 10000042: 300 };
const CACHE_SECONDS = 300; // ESI's
const CHURN = 0.0013; // measured over all regions in five minutes
const KEEP_ALIVE_MS = 65_000; // longer than any client keeps an idle connection, so none is cut while being used

function makeEngine(options: SimulatorOptions): Engine {
  const clock = options.clock ?? systemClock;
  const { seed = 1, regions = SMALL_WORLD, cacheSeconds = CACHE_SECONDS, churn = CHURN } = options;
  const world = new World({
    seed,
    clock,
    regions,
    cacheSeconds,
    churn,
    universe: options.universe ?? 'small',
  });
  const { enforceLimits = true, hiddenLimit = HIDDEN_LIMIT } = options;
  return {
    clock,
    world,
    box: createFaultBox(),
    limits: createLimits(clock, world.allowances, enforceLimits),
    hidden: createHiddenLimiter(hiddenLimit, enforceLimits),
    judge: createJudge(),
    budget: createBudget(world.allowances, hiddenLimit),
    latencyMs: options.latencyMs ?? 0,
  };
}

function setRoute(call: Call): void {
  if (call.pathname.startsWith(SDE_PREFIX)) call.route = 'sde';
  const found = findRoute(call);
  if (!found) return;
  call.route = found.route.template;
  call.group = found.route.group;
  call.hidden = found.route.hidden ?? false;
}

/** Books the request and its end: an answer that did not get through makes asking again no offence. */
function track(engine: Engine, records: Records, call: Call, response: ServerResponse): void {
  const tag = call.header('if-none-match');
  const { method, path, route } = call;
  const record: RequestRecord = { at: new Date(call.at), method, path, route, status: 0 };
  if (tag !== undefined) record.ifNoneMatch = tag;
  records.add(record);
  engine.judge.arrive(call);
  if (route !== 'sde') call.booked = engine.budget.arrive(call);
  if (call.hidden) call.overHidden = engine.hidden.arrive(call);
  if (call.overHidden) engine.judge.overHidden(call, `more than ${engine.hidden.limit} within 60 s`);
  response.on('finish', () => {
    record.status = response.statusCode;
  });
  response.on('close', () => {
    if (route !== 'sde') engine.judge.leave();
    if (!response.writableFinished) engine.judge.fail(call);
  });
}

async function serve(engine: Engine, records: Records, call: Call, response: ServerResponse): Promise<void> {
  track(engine, records, call, response);
  const wait = engine.latencyMs + (engine.box.take(['latency'], call)?.ms ?? 0);
  if (wait > 0) await delay(wait);
  if (response.destroyed) return;
  await (call.route === 'sde' ? handleSde(engine, call, response) : handleEsi(engine, call, response));
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections(); // hanging answers, too
  });
}

/** Starts a simulated ESI and SDE on loopback. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const engine = makeEngine(options);
  const records = createRecords();
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  const port = await listen(server, options.port ?? 0);
  const url = `http://127.0.0.1:${port}`;
  const simulator: Simulator = {
    url,
    sdeUrl: url + SDE_PREFIX,
    world: engine.world,
    faults: engine.box.faults,
    offences: () => [...engine.judge.list],
    requests: () => records.list(),
    budgetReport: () => engine.budget.report(),
    resetCounters: () => {
      engine.budget.clear();
      engine.judge.list.length = 0;
      records.clear();
    },
    close: () => close(server),
  };
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const call = readCall(request, engine.clock.now());
    const isControl = call.pathname.startsWith(CONTROL_PREFIX);
    if (!isControl) setRoute(call);
    const done = isControl
      ? handleControl(simulator, call, request, response)
      : serve(engine, records, call, response);
    done.catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  });
  return simulator;
}
