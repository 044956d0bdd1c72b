import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../src/lib/clock.ts';
import { createBudget } from './budget.ts';
import { isEsi, isSsoPath, readCall, SSO_PREFIX, type Call } from './call.ts';
import { CONTROL_PREFIX, handleControl } from './control.ts';
import { handleEsi, type Engine } from './esi-handler.ts';
import { createFaultBox } from './faults.ts';
import { createHiddenLimiter, HIDDEN_LIMIT } from './hidden.ts';
import { createLimits } from './limits.ts';
import { createJudge } from './judge.ts';
import { Owners } from './owners/owners.ts';
import { createRecords, type RequestRecord, type Records } from './records.ts';
import { findRoute } from './routes.ts';
import { handleSde, SDE_PREFIX } from './sde-handler.ts';
import { handleSso, watchSso } from './sso/handler.ts';
import type { Simulator, SimulatorOptions } from './simulator.ts';
import { SsoService } from './sso/service.ts';
import { steerSso } from './sso/steering.ts';
import { World } from './world.ts';

export type { Bucket } from './allowances.ts';
export type { BudgetLine } from './budget.ts';
export type { FaultOptions, Faults, LimitHeaders, RowChange, StatusFaultOptions } from './faults.ts';
export type { Offence, OffenceKind } from './offences.ts';
export type { RequestRecord } from './records.ts';
export type { Simulator, SimulatorOptions } from './simulator.ts';
export type { Snapshot } from './book.ts';
export * from './owners/options.ts';
export type { Owners, Turnable } from './owners/owners.ts';
export type { Character, Corporation, Structure } from './owners/roster.ts';
export type { Payment, Trade, TradeIds } from './owners/trade.ts';
export { OWNER_SCOPES, SCOPES } from './owners/scopes.ts';
export type * from './owners/shapes.ts';
export { DEFAULT_CLIENT, type Rotation, type SsoClient, type SsoOptions } from './sso/options.ts';
export type { Algorithm, Claims, Signer } from './sso/keys.ts';
export type { SsoCounts } from './sso/service.ts';
export type { Forgery, GrantView, IssuedTokens, LoginChoice, Sso } from './sso/steering.ts';
export type * from './shapes.ts';
export type { World } from './world.ts';

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
    ownerCacheSeconds: options.owners?.cacheSeconds ?? Number.POSITIVE_INFINITY,
  });
  const { enforceLimits = true, hiddenLimit = HIDDEN_LIMIT } = options;
  const owners = new Owners(options.owners ?? {}, world, clock);
  return {
    clock,
    world,
    box: createFaultBox(),
    limits: createLimits(clock, world.allowances, enforceLimits),
    hidden: createHiddenLimiter(hiddenLimit, enforceLimits),
    judge: createJudge(),
    budget: createBudget(world.allowances, hiddenLimit),
    latencyMs: options.latencyMs ?? 0,
    owners,
    sso: new SsoService(options.sso ?? {}, clock, owners),
    refreshing: new Map(),
  };
}

function setRoute(engine: Engine, call: Call): void {
  if (call.pathname.startsWith(SDE_PREFIX)) call.route = 'sde';
  if (isSsoPath(call.pathname)) call.route = call.pathname;
  const found = isEsi(call) ? findRoute(call) : undefined;
  if (!found) return;
  setUser(engine, call, found.route.scope !== undefined);
  call.route = found.route.template;
  call.group = found.route.group;
  call.hidden = found.route.hidden ?? false;
}

/** A token's character has buckets of its own where a token is needed; elsewhere it only parts an address's bucket. */
function setUser(engine: Engine, call: Call, needsToken: boolean): void {
  call.access = call.bearer === undefined ? undefined : engine.sso.access.find(call.bearer);
  if (!call.access) return;
  const { clientId, characterId } = call.access;
  call.user = needsToken ? `${clientId}:${characterId}` : `${call.caller}:${clientId}`;
}

/** Books the request and its end: an answer that did not get through makes asking again no offence. */
function track(engine: Engine, records: Records, call: Call, response: ServerResponse): void {
  const tag = call.header('if-none-match');
  const { method, path, route } = call;
  const record: RequestRecord = { at: new Date(call.at), method, path, route, status: 0 };
  if (tag !== undefined) record.ifNoneMatch = tag;
  records.add(record);
  if (!isSsoPath(route)) engine.judge.arrive(call);
  if (isEsi(call)) call.booked = engine.budget.arrive(call);
  if (call.hidden) call.overHidden = engine.hidden.arrive(call);
  if (call.overHidden) engine.judge.overHidden(call, `more than ${engine.hidden.limit} within 60 s`);
  response.on('finish', () => {
    record.status = response.statusCode;
  });
  response.on('close', () => {
    if (isEsi(call)) engine.judge.leave();
    if (!response.writableFinished) engine.judge.fail(call);
  });
}

async function serve(
  engine: Engine,
  records: Records,
  call: Call,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  track(engine, records, call, response);
  if (call.method === 'POST') call.body = await text(request);
  watchSso(engine, call, response);
  if (engine.latencyMs > 0) await delay(engine.latencyMs);
  await engine.box.holdBack(call);
  if (response.destroyed) return;
  await (isEsi(call) ? handleEsi : call.route === 'sde' ? handleSde : handleSso)(engine, call, response);
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
  engine.sso.url = url + SSO_PREFIX;
  const simulator: Simulator = {
    url,
    sdeUrl: url + SDE_PREFIX,
    ssoUrl: engine.sso.url,
    world: engine.world,
    owners: engine.owners,
    sso: steerSso(engine.sso),
    faults: engine.box.faults,
    offences: () => [...engine.judge.list],
    requests: () => records.list(),
    budgetReport: () => engine.budget.report(),
    resetCounters: () => {
      engine.budget.clear();
      engine.judge.list.length = 0;
      records.clear();
      engine.sso.resetCounts();
    },
    close: () => close(server),
  };
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const call = readCall(request, engine.clock.now());
    const isControl = call.pathname.startsWith(CONTROL_PREFIX);
    if (!isControl) setRoute(engine, call);
    const done = isControl
      ? handleControl(simulator, call, request, response)
      : serve(engine, records, call, request, response);
    done.catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  });
  return simulator;
}
