import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../src/lib/clock.ts';
import { createLimitUsageMeter } from './limit-usage.ts';
import { isEsi, isSsoPath, readCall, SSO_PREFIX, type Call } from './esi-call.ts';
import { CONTROL_PREFIX, handleControl } from './control-handler.ts';
import { handleEsi } from './esi-handler.ts';
import type { SimulatorParts } from './simulator-parts.ts';
import { createActiveFaults } from './faults.ts';
import { createHiddenLimit, HIDDEN_LIMIT } from './hidden-limit.ts';
import { createLimits } from './rate-limits.ts';
import { createOffenceRecorder } from './offence-recorder.ts';
import { Owners } from './owners/owners.ts';
import { createRequestLog, type RequestRecord, type RequestLog } from './request-log.ts';
import { findRoute } from './all-routes.ts';
import { handleSde, SDE_PREFIX } from './sde-handler.ts';
import { handleSso, trackSsoRequest } from './sso/sso-handler.ts';
import type { Simulator, SimulatorOptions } from './simulator.ts';
import { SsoService } from './sso/sso-service.ts';
import { createSsoControl } from './sso/sso-control.ts';
import { World } from './world.ts';

/** The five trade hubs with few orders: The Forge has several pages, Domain two, the others one. */
const SMALL_REGIONS = { 10000002: 2_500, 10000043: 1_200, 10000032: 800, 10000030: 400, 10000042: 300 };

/** ESI's cache time for orders. */
const CACHE_SECONDS = 300;

/** The share of orders that changes in five minutes, measured over all regions. */
const CHURN = 0.0013;

/** Longer than any client keeps an idle connection, so that no connection is closed while it is used. */
const KEEP_ALIVE_MS = 65_000;

function createParts(options: SimulatorOptions): SimulatorParts {
  const clock = options.clock ?? systemClock;
  const { seed = 1, regions = SMALL_REGIONS, cacheSeconds = CACHE_SECONDS, churn = CHURN } = options;
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
  const owners = new Owners(options.owners ?? {}, world, clock, options.memory?.owners);
  return {
    clock,
    world,
    activeFaults: createActiveFaults(),
    limits: createLimits(clock, world.allowances, enforceLimits),
    hiddenLimit: createHiddenLimit(hiddenLimit, enforceLimits),
    offences: createOffenceRecorder(),
    limitUsage: createLimitUsageMeter(world.allowances, hiddenLimit),
    latencyMs: options.latencyMs ?? 0,
    owners,
    sso: new SsoService(options.sso ?? {}, clock, owners, options.memory?.grants),
    refreshesInProgress: new Map(),
  };
}

function setRoute(parts: SimulatorParts, call: Call): void {
  if (call.pathname.startsWith(SDE_PREFIX)) call.route = 'sde';
  if (isSsoPath(call.pathname)) call.route = call.pathname;
  const found = isEsi(call) ? findRoute(call) : undefined;
  if (!found) return;
  setUser(parts, call, found.route.scope !== undefined);
  call.route = found.route.template;
  call.group = found.route.group;
  call.hidden = found.route.hidden ?? false;
}

/** The user whose buckets a call uses: the character where a token is required, elsewhere the address and application. */
function setUser(parts: SimulatorParts, call: Call, needsToken: boolean): void {
  call.access = call.bearer === undefined ? undefined : parts.sso.access.find(call.bearer);
  if (!call.access) return;
  const { clientId, characterId } = call.access;
  call.user = needsToken ? `${clientId}:${characterId}` : `${call.caller}:${clientId}`;
}

/** Records the request and its end. Repeating a request whose answer did not arrive is no offence. */
function track(parts: SimulatorParts, requestLog: RequestLog, call: Call, response: ServerResponse): void {
  const tag = call.header('if-none-match');
  const { method, path, route } = call;
  const record: RequestRecord = { at: new Date(call.at), method, path, route, status: 0 };
  if (tag !== undefined) record.ifNoneMatch = tag;
  requestLog.add(record);
  if (!isSsoPath(route)) parts.offences.recordRequest(call);
  if (isEsi(call)) call.recordAnswer = parts.limitUsage.recordRequest(call);
  if (call.hidden) call.overHidden = parts.hiddenLimit.recordRequest(call);
  if (call.overHidden)
    parts.offences.recordHiddenLimit(call, `more than ${parts.hiddenLimit.limit} within 60 s`);
  response.on('finish', () => {
    record.status = response.statusCode;
  });
  response.on('close', () => {
    if (isEsi(call)) parts.offences.recordEnd();
    if (!response.writableFinished) parts.offences.recordFailure(call);
  });
}

async function serve(
  parts: SimulatorParts,
  requestLog: RequestLog,
  call: Call,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  track(parts, requestLog, call, response);
  if (call.method === 'POST') call.body = await text(request);
  trackSsoRequest(parts, call, response);
  if (parts.latencyMs > 0) await delay(parts.latencyMs);
  await parts.activeFaults.delay(call);
  if (response.destroyed) return;
  await (isEsi(call) ? handleEsi : call.route === 'sde' ? handleSde : handleSso)(parts, call, response);
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
    server.closeAllConnections(); // also those of answers that a fault keeps waiting
  });
}

/** Starts a simulated ESI, SSO and static data export on loopback. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const parts = createParts(options);
  const requestLog = createRequestLog();
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  const port = await listen(server, options.port ?? 0);
  const url = `http://127.0.0.1:${port}`;
  parts.sso.url = url + SSO_PREFIX;
  const simulator: Simulator = {
    url,
    sdeUrl: url + SDE_PREFIX,
    ssoUrl: parts.sso.url,
    world: parts.world,
    owners: parts.owners,
    sso: createSsoControl(parts.sso),
    faults: parts.activeFaults.faults,
    offences: () => [...parts.offences.list],
    requests: () => requestLog.list(),
    limitUsage: () => parts.limitUsage.report(),
    resetCounters: () => {
      parts.limitUsage.clear();
      parts.offences.list.length = 0;
      requestLog.clear();
      parts.sso.resetCounts();
    },
    remember: () => ({ owners: parts.owners.remember(), grants: parts.sso.grants.remember() }),
    close: () => close(server),
  };
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const call = readCall(request, parts.clock.now());
    const isControl = call.pathname.startsWith(CONTROL_PREFIX);
    if (!isControl) setRoute(parts, call);
    const done = isControl
      ? handleControl(simulator, call, request, response)
      : serve(parts, requestLog, call, request, response);
    done.catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  });
  return simulator;
}
