import type { Clock } from '../../src/lib/clock.ts';
import {
  startSimulator,
  type OffenceKind,
  type Order,
  type Simulator,
  type SimulatorOptions,
} from '../../simulator/index.ts';

export const FORGE = 10000002;
export const DOMAIN = 10000043;
export const ORDERS = `/markets/${FORGE}/orders?order_type=all`;
export const START = Date.UTC(2026, 7, 20, 12, 0, 0);
export const HEADERS = {
  'user-agent': 'simulator-test (test@example.com)',
  'x-compatibility-date': '2025-12-16',
};

/** Stands still until it is told to pass. */
class HandClock implements Clock {
  time = START;
  now = () => this.time;
  sleep = () => Promise.resolve();
  pass(seconds: number) {
    this.time += seconds * 1_000;
  }
}

const running: Simulator[] = [];

/** Closes what a test has started. */
export async function closeAll(): Promise<void> {
  await Promise.all(running.splice(0).map((simulator) => simulator.close()));
}

/** A simulator on a clock of its own. */
export async function start(
  options: SimulatorOptions = {},
): Promise<{ simulator: Simulator; clock: HandClock }> {
  const clock = new HandClock();
  const simulator = await startSimulator({ clock, ...options });
  running.push(simulator);
  return { simulator, clock };
}

/** Asks as a well-behaved caller. */
export function get(
  simulator: Simulator,
  path: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(simulator.url + path, { headers: { ...HEADERS, ...headers } });
}

/** One page of The Forge: its rows and what the test looks at. */
export async function page(simulator: Simulator, number: number) {
  const response = await get(simulator, `${ORDERS}&page=${number}`);
  const rows = response.status === 200 ? ((await response.json()) as Order[]) : [];
  const modified = response.headers.get('last-modified') ?? '';
  return { status: response.status, rows, modified, pages: Number(response.headers.get('x-pages')) };
}

/** A whole read of The Forge. */
export async function sweep(simulator: Simulator) {
  const first = await page(simulator, 1);
  const rest = [];
  for (let number = 2; number <= first.pages; number++) rest.push(await page(simulator, number));
  return [first, ...rest];
}

/** The offences so far. */
export function kinds(simulator: Simulator): OffenceKind[] {
  return simulator.offences().map((offence) => offence.kind);
}

export const ANNA = 90000001;
export const BRAM = 90000002;
export const CORP = 98000001;

/** The headers of a request with an access token. */
export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

/** A way to ask as a character: the answer's status, headers and JSON. */
export async function login(simulator: Simulator, characterId: number, scopes?: string[]) {
  const { accessToken } = await simulator.sso.issue(characterId, scopes);
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows what comes
  return async <T = unknown>(path: string, headers: Record<string, string> = {}) => {
    const response = await get(simulator, path, { ...bearer(accessToken), ...headers });
    const text = await response.text();
    return { status: response.status, headers: response.headers, json: (text && JSON.parse(text)) as T };
  };
}

/** Posts ids as a character. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as above
export async function post<T = unknown>(simulator: Simulator, path: string, ids: unknown, token?: string) {
  const response = await fetch(simulator.url + path, {
    method: 'POST',
    headers: { ...HEADERS, 'content-type': 'application/json', ...(token ? bearer(token) : {}) },
    body: JSON.stringify(ids),
  });
  return { status: response.status, headers: response.headers, json: (await response.json()) as T };
}
