import { systemClock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { Simulator } from '../../simulator/index.ts';
import type { Config } from '../app/settings.ts';
import { findRunning } from '../app/endpoints.ts';

/** How often the simulated owners trade and move things, in milliseconds: something shows at each look. */
const BEAT = 20_000;

/** One asset in a hundred changes at each beat. */
const CHURN = 0.01;

/** Calls our own API as any program may. Throws with the problem's text. */
async function call<T>(
  config: Config,
  http: string,
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  const headers = {
    accept: 'application/json', // the callback has a page for people as well
    'content-type': 'application/json',
    ...(config.API_TOKEN === undefined ? {} : { authorization: `Bearer ${config.API_TOKEN}` }),
  };
  const answer = await fetch(http + path, {
    method,
    headers,
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}`);
  return (await answer.json()) as T;
}

/** The login as a person does it: register, pick the character on the page of the SSO, come back with the code. */
async function logIn(config: Config, simulator: Simulator, http: string, characterId: number): Promise<void> {
  const { url } = await call<{ url: string }>(config, http, 'POST', '/api/tokens/register', {});
  const picked = await fetch(simulator.sso.loginUrl(url, characterId), { redirect: 'manual' });
  const back = picked.headers.get('location');
  if (back === null) throw new Error('the simulated SSO did not lead back');
  await call(config, http, 'GET', `/api/tokens/callback${new URL(back).search}`);
}

async function address(config: Config, signal: AbortSignal): Promise<string> {
  for (;;) {
    const running = await findRunning(config).catch(() => undefined);
    if (running?.http !== undefined && running.pid === process.pid) return running.http;
    await systemClock.sleep(500, signal);
  }
}

/**
 * Logs the simulated characters in as soon as the product is up, has everything of theirs collected each minute, and
 * keeps them busy until the demo ends.
 */
export async function runDemoOwners(
  config: Config,
  simulator: Simulator,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  try {
    const http = await address(config, signal);
    const characters = simulator.owners.list();
    for (const { id } of characters) await logIn(config, simulator, http, id);
    const path = '/api/assignments';
    const assignments = await call<{ id: number }[]>(config, http, 'GET', path);
    for (const { id } of assignments)
      await call(config, http, 'PATCH', `${path}/${id}`, { intervalMinutes: 1 });
    const [seller, buyer] = characters;
    for (;;) {
      for (const { id } of characters) simulator.owners.churnAssets(id, CHURN);
      if (seller && buyer) {
        const sides = { sellerId: seller.id, buyerId: buyer.id };
        simulator.owners.trade({ ...sides, typeId: 34, quantity: 1_000, price: 4.2 }); // Tritanium
      }
      await systemClock.sleep(BEAT, signal);
    }
  } catch (error) {
    if (!signal.aborted)
      log.warn({ error: describeError(error) }, 'the simulated characters could not be logged in');
  }
}
