import { join } from 'node:path';
import { CHURN, nextAssets } from './asset-owner.ts';
import { withChild } from './child.ts';
import { onCopy } from './databases.ts';
import { LATENCY } from './forge.ts';
import type { BenchServers } from './servers.ts';

/** Assets of the largest corporations. */
export const CORPORATION_ASSETS = 1_000_000;

/** One run of the corporation's assets in the child. */
export interface CorporationOrder {
  /** Of the Temporal server; undefined: without Temporal. */
  readonly temporal: string | undefined;
  readonly databaseUrl: string;
  readonly esiUrl: string;
  readonly sdeUrl: string;
  readonly ssoUrl: string;
  readonly dataDir: string;
  /** Milliseconds after the first set. */
  readonly later: number;
}

export interface CorporationRun {
  readonly seconds: number;
  readonly rows: number;
  /** The most memory the process had until now, in megabytes. */
  readonly peakMb: number;
}

export interface CorporationRuns {
  readonly first: CorporationRun;
  readonly unchanged: CorporationRun;
  readonly changed: CorporationRun;
}

/** What assets are cached, and a breath. */
const CACHE = 3_601_000;

/** A million assets, the same again, and 1 % of them changed, in a process that holds nothing but the engine; for each way to it. */
export async function measureCorporation(
  servers: BenchServers,
  template: string,
  temporals: readonly (string | undefined)[],
): Promise<CorporationRuns[]> {
  const simulator = await servers.simulator(
    ...['--characters', '1', '--corporations', '1', '--corp-assets', String(CORPORATION_ASSETS)],
    ...['--universe', 'full', '--latency', LATENCY, '--no-limits'],
  );
  const { url: esiUrl, sdeUrl, ssoUrl } = simulator;
  const dataDir = join(servers.dir, 'sde');
  const done: CorporationRuns[] = [];
  for (const temporal of temporals) {
    await nextAssets(simulator, 'corporation', 0);
    const runs = await onCopy(servers, template, async (databaseUrl) => {
      await servers.admin('CHECKPOINT');
      const order = { temporal, databaseUrl, esiUrl, sdeUrl, ssoUrl, dataDir };
      return withChild('corporation-child.js', async (ask) => {
        const run = (order: CorporationOrder) => ask(order) as Promise<CorporationRun>;
        const first = await run({ ...order, later: 0 });
        await nextAssets(simulator, 'corporation', 0);
        const unchanged = await run({ ...order, later: CACHE });
        await nextAssets(simulator, 'corporation', CHURN);
        return { first, unchanged, changed: await run({ ...order, later: 2 * CACHE }) };
      });
    });
    const { first, unchanged, changed } = runs;
    console.log(
      `${first.rows} assets in ${first.seconds.toFixed(1)} s, peak ${first.peakMb.toFixed(0)} MB; ` +
        `unchanged in ${unchanged.seconds.toFixed(1)} s; ${changed.rows} changed in ${changed.seconds.toFixed(1)} s, peak ${changed.peakMb.toFixed(0)} MB`,
    );
    done.push(runs);
  }
  await simulator.stop();
  return done;
}
