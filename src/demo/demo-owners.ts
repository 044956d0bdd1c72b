import type { Simulator } from '../../simulator/index.ts';
import { findRunning } from '../app/endpoints.ts';
import type { Config } from '../app/settings.ts';
import { systemClock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { writeMemory } from './demo-memory.ts';

/** How often the simulated owners trade and move assets (ms), so that each visit shows changes. */
const ACTIVITY_INTERVAL = 20_000;

/** One asset in a hundred changes each time. */
const ASSET_CHURN = 0.01;

const TRITANIUM = 34;

const POLL_INTERVAL = 500;

/** Calls our own API as any program may. Throws with method, path and status. */
async function callApi<T>(
  config: Config,
  http: string,
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  const headers = {
    accept: 'application/json', // the callback also has a page for people
    'content-type': 'application/json',
    ...(config.API_TOKEN === undefined ? {} : { authorization: `Bearer ${config.API_TOKEN}` }),
  };
  const response = await fetch(http + path, {
    method,
    headers,
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!response.ok) throw new Error(`${method} ${path}: status ${response.status}`);
  return (await response.json()) as T;
}

/** Logs a character in as a person does: register, pick the character on the page of the SSO, come back with the code. */
async function logIn(config: Config, simulator: Simulator, http: string, characterId: number): Promise<void> {
  const { url } = await callApi<{ url: string }>(config, http, 'POST', '/api/tokens/register', {});
  const response = await fetch(simulator.sso.loginUrl(url, characterId), { redirect: 'manual' });
  const callback = response.headers.get('location');
  if (callback === null) throw new Error('the simulated SSO did not redirect to the callback');
  await callApi(config, http, 'GET', `/api/tokens/callback${new URL(callback).search}`);
}

/** Waits until this process serves HTTP, and gives the address. */
async function waitForHttp(config: Config, signal: AbortSignal): Promise<string> {
  for (;;) {
    const running = await findRunning(config).catch(() => undefined);
    if (running?.http !== undefined && running.pid === process.pid) return running.http;
    await systemClock.sleep(POLL_INTERVAL, signal);
  }
}

/** Logs the simulated characters in that are not, and has everything of theirs collected each minute. */
async function setUpOwners(
  config: Config,
  simulator: Simulator,
  http: string,
  characterIds: readonly number[],
): Promise<void> {
  const tokens = await callApi<{ characterId: number; isActive: boolean }[]>(
    config,
    http,
    'GET',
    '/api/tokens',
  );
  const isLoggedIn = (id: number) =>
    tokens.some((token) => token.characterId === id && token.isActive) && simulator.sso.tokenCount(id) > 0;
  for (const id of characterIds) if (!isLoggedIn(id)) await logIn(config, simulator, http, id);
  const path = '/api/assignments';
  const assignments = await callApi<{ id: number; intervalMinutes: number }[]>(config, http, 'GET', path);
  for (const { id, intervalMinutes } of assignments)
    if (intervalMinutes !== 1) await callApi(config, http, 'PATCH', `${path}/${id}`, { intervalMinutes: 1 });
}

/**
 * Logs the simulated characters in as soon as the product is running, and lets them trade and move assets until `signal` is
 * aborted. What the simulator remembers is stored each time, and once more by the function that is returned, to be called
 * when the product has stopped. Never rejects: the demo continues without owners.
 */
export async function runDemoOwners(
  config: Config,
  simulator: Simulator,
  log: Log,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  let store = async () => {}; // another demo may run on the folder until this one serves
  try {
    const http = await waitForHttp(config, signal);
    store = () => writeMemory(config.DATA_DIR, simulator);
    const ids = simulator.owners.list().map(({ id }) => id);
    await setUpOwners(config, simulator, http, ids);
    const [sellerId, buyerId] = ids;
    for (;;) {
      for (const id of ids) simulator.owners.churnAssets(id, ASSET_CHURN);
      if (sellerId !== undefined && buyerId !== undefined)
        simulator.owners.trade({ sellerId, buyerId, typeId: TRITANIUM, quantity: 1_000, price: 4.2 });
      await store();
      await systemClock.sleep(ACTIVITY_INTERVAL, signal);
    }
  } catch (error) {
    if (!signal.aborted)
      log.warn({ error: describeError(error) }, 'could not log the simulated characters in');
  }
  return store;
}
