import { join } from 'node:path';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import type { OwnerKind } from '../../src/collectors/targets.ts';
import { FIRST_CHARACTER, FIRST_CORPORATION } from '../../simulator/owners/owner-options.ts';
import type { IssuedTokens } from '../../simulator/sso/sso-control.ts';
import { type BenchClock, benchEngine } from './bench-engine.ts';
import { logIn } from './log-in-characters.ts';
import type { BenchServers, BenchSimulator, Control } from './bench-servers.ts';
import { countPages, type BenchRequest, readRows } from './raw-reading.ts';

/** The share of the rows that changes from one snapshot to the next. */
export const CHURN = 0.01;

/** Assets of the bench's character, as many as a rich one has. */
export const ASSETS = 50_000;

const IDS: Readonly<Record<OwnerKind, number>> = {
  character: FIRST_CHARACTER,
  corporation: FIRST_CORPORATION,
};

/** The target whose assets are measured. */
export const targetOf = (kind: OwnerKind) => `${kind}/${IDS[kind]}`;

/** A route of an owner's assets. */
export const assetsUrl = (esiUrl: string, kind: OwnerKind, what = '') =>
  `${esiUrl}/${kind}s/${IDS[kind]}/assets${what}`;

/** An engine with the character logged in. Its tokens live for twenty minutes of the engine's clock. */
export function ownerEngine(
  servers: BenchServers,
  simulator: BenchSimulator,
  databaseUrl: string,
  clock: BenchClock,
) {
  const { url: esiUrl, sdeUrl, ssoUrl } = simulator;
  return benchEngine({ databaseUrl, esiUrl, sdeUrl, ssoUrl, dataDir: join(servers.dir, 'sde'), clock });
}

/** Logs in the character of all requests: it is the corporation's director. */
export const logInDirector = (context: EngineContext, control: Control) =>
  logIn(context, (method, id) => control('sso', { method, args: [id] }), [FIRST_CHARACTER]);

/** An access token for requests outside of the engine. */
export async function accessToken(control: Control): Promise<string> {
  const issued = await control('sso', { method: 'issue', args: [FIRST_CHARACTER] });
  return (issued as IssuedTokens).accessToken;
}

/** The requests for all pages of an owner's assets. */
export async function pagesOf(simulator: BenchSimulator, kind: OwnerKind): Promise<BenchRequest[]> {
  const token = await accessToken(simulator.control);
  const page = (number: number): BenchRequest => ({
    url: `${assetsUrl(simulator.url, kind)}?page=${number}`,
    accessToken: token,
  });
  return Array.from({ length: await countPages(page(1)) }, (_, i) => page(i + 1));
}

/** Takes a snapshot with `churn` of its rows changed, and makes the simulator pack its pages: that is not our work. */
export async function nextAssets(simulator: BenchSimulator, kind: OwnerKind, churn: number): Promise<void> {
  const owners = (method: string, ...args: unknown[]) => simulator.control('owners', { method, args });
  if (churn > 0) await owners('churnAssets', IDS[kind], churn);
  await owners('takeSnapshots', IDS[kind], 'assets');
  await readRows(await pagesOf(simulator, kind));
}
