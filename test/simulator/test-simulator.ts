import { ANNA, BRAM, CORPORATION } from '../support/owner-engine.ts';
import { type TestClock, testClock } from '../support/test-clock.ts';
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

const running: Simulator[] = [];

/** Closes the simulators that a test has started. */
export async function closeSimulators(): Promise<void> {
  await Promise.all(running.splice(0).map((simulator) => simulator.close()));
}

/** Starts a simulator on a clock that the test moves. */
export async function startTestSimulator(
  options: SimulatorOptions = {},
): Promise<{ simulator: Simulator; clock: TestClock }> {
  const clock = testClock(START);
  const simulator = await startSimulator({ clock, ...options });
  running.push(simulator);
  return { simulator, clock };
}

/** Sends a request with the headers that ESI wants. */
export function get(
  simulator: Simulator,
  path: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(simulator.url + path, { headers: { ...HEADERS, ...headers } });
}

/** Reads one page of The Forge's orders. */
export async function readPage(simulator: Simulator, number: number) {
  const response = await get(simulator, `${ORDERS}&page=${number}`);
  const rows = response.status === 200 ? ((await response.json()) as Order[]) : [];
  const modified = response.headers.get('last-modified') ?? '';
  return { status: response.status, rows, modified, pages: Number(response.headers.get('x-pages')) };
}

/** Reads all pages of The Forge's orders. */
export async function readAllPages(simulator: Simulator) {
  const first = await readPage(simulator, 1);
  const rest = [];
  for (let number = 2; number <= first.pages; number++) rest.push(await readPage(simulator, number));
  return [first, ...rest];
}

/** The kinds of the offences so far. */
export function offenceKinds(simulator: Simulator): OffenceKind[] {
  return simulator.offences().map((offence) => offence.kind);
}

export { ANNA, BRAM, CORPORATION };

/** The headers of a request with an access token. */
export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

/** Logs a character in and returns a function that sends requests with its token. */
export async function requestAs(simulator: Simulator, characterId: number, scopes?: string[]) {
  const { accessToken } = await simulator.sso.issue(characterId, scopes);
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows the shape
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
