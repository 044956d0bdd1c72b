import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Call } from './esi-call.ts';
import type { FaultOptions, Faults } from './faults.ts';
import type { HistoryRow, Kind } from './esi-rows.ts';
import type { Simulator } from './simulator.ts';

/** The path under which another process controls the simulator. */
export const CONTROL_PREFIX = '/__simulator';

/** The body of a control call. Each call uses some of the fields. */
interface ControlBody {
  region?: number;
  share?: number;
  build?: number;
  group?: string;
  tokens?: number;
  windowSeconds?: number;
  date?: string;
  patch?: Partial<HistoryRow>;
  kind?: Kind;
  id?: number;
  /** A method of `faults`, its arguments before the options, and the options. */
  fault?: keyof Faults;
  args?: unknown[];
  options?: FaultOptions;
  /** A method of `owners` or `sso`, called with `args`. */
  method?: string;
}

/** Calls a method by its name. Names and arguments come only from the benches, demos and tests of this project. */
function callByName(target: object, { method = '', args = [] }: ControlBody): unknown {
  const found: unknown = Reflect.get(target, method);
  if (typeof found !== 'function') throw new Error(`method: unknown: ${method}`);
  return Reflect.apply(found, target, args);
}

function setFault(faults: Faults, { fault, args = [], options }: ControlBody): void {
  if (!fault || !(fault in faults) || fault === 'mutateRows') throw new Error('fault: unknown');
  // The arguments come only from the benches and tests of this project.
  (faults[fault] as (...list: unknown[]) => void)(...args, ...(options ? [options] : []));
}

/** The POST calls. */
const ACTIONS: Record<string, (simulator: Simulator, body: ControlBody) => unknown> = {
  owners: ({ owners }, body) => callByName(owners, body),
  sso: ({ sso }, body) => callByName(sso, body),
  'take-snapshot': ({ world }, { region }) => world.takeSnapshot(region),
  warm: ({ world }, { region }) => world.warm(region),
  churn: ({ world }, { share, region }) => world.setChurn(share ?? 0, region),
  prices: ({ world }, { share }) => {
    world.changePrices(share ?? 1);
    world.takePriceSnapshot();
  },
  build: ({ world }, { build }) => world.setBuild(build ?? world.build + 1),
  hide: ({ world }, { kind, id }) => world.hide(kind ?? 'types', id ?? 0),
  forget: ({ world }, { kind, id }) => world.forget(kind ?? 'types', id ?? 0),
  'set-bucket': ({ world }, { group = '', tokens, windowSeconds }) =>
    world.setBucket(group, {
      ...(tokens === undefined ? {} : { tokens }),
      ...(windowSeconds === undefined ? {} : { windowSeconds }),
    }),
  'spend-elsewhere': ({ world }, { group = '', tokens = 0 }) => world.spendElsewhere(group, tokens),
  'correct-history': ({ world }, { region = 0, id = 0, date = '', patch = {} }) =>
    void world.correctHistory(region, id, date, patch),
  'take-industry-snapshot': ({ world }) => world.takeIndustrySnapshot(),
  reset: (simulator) => simulator.resetCounters(),
  faults: ({ faults }, body) => setFault(faults, body),
  'faults-clear': ({ faults }) => faults.clear(),
};

function countBy<T>(list: readonly T[], key: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of list) counts[key(item)] = (counts[key(item)] ?? 0) + 1;
  return counts;
}

function snapshotOf({ world }: Simulator, call: Call) {
  const { lastModified, expires, rows } = world.snapshot(Number(call.query.get('region')));
  return { lastModified, expires, orders: rows.length, ...(call.query.has('rows') ? { rows } : {}) };
}

/** The GET calls. */
const VIEWS: Record<string, (simulator: Simulator, call: Call) => unknown> = {
  offences: (simulator) => simulator.offences(),
  'limit-usage': (simulator) => simulator.limitUsage(),
  'requests-summary': (simulator) => {
    const requests = simulator.requests();
    const byRoute = countBy(requests, ({ route, status }) => `${route} ${status}`);
    return { total: requests.length, byRoute };
  },
  stats: (simulator) => ({
    memory: process.memoryUsage(),
    cpu: process.cpuUsage(),
    uptime: process.uptime(),
    offences: countBy(simulator.offences(), ({ kind }) => kind),
  }),
  snapshot: snapshotOf,
};

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}

export async function handleControl(
  simulator: Simulator,
  call: Call,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const name = call.pathname.slice(CONTROL_PREFIX.length + 1);
  const view = call.method === 'GET' ? VIEWS[name] : undefined;
  const action = call.method === 'POST' ? ACTIONS[name] : undefined;
  try {
    if (view) return send(response, 200, view(simulator, call));
    if (!action) return send(response, 404, { error: 'unknown control call' });
    const body = await text(request);
    const result: unknown = await action(simulator, (body ? JSON.parse(body) : {}) as ControlBody);
    send(response, 200, result === undefined ? { ok: true } : { ok: true, result });
  } catch (error) {
    send(response, 400, { error: error instanceof Error ? error.message : String(error) });
  }
}
