import { join } from 'node:path';
import { CHURN, nextAssets } from './asset-owner.ts';
import { withProcess } from './measured-process.ts';
import { onCopy } from './databases.ts';
import { LATENCY_MS } from './measure-rounds.ts';
import type { BenchServers } from './bench-servers.ts';

/** Assets of the largest corporations. */
export const CORPORATION_ASSETS = 1_000_000;

/** The input of one run of the corporation's assets in the child process. */
export interface CorporationInput {
  /** The address of the Temporal server; undefined for a direct run. */
  readonly temporal: string | undefined;
  readonly databaseUrl: string;
  readonly esiUrl: string;
  readonly sdeUrl: string;
  readonly ssoUrl: string;
  readonly dataDir: string;
  /** Milliseconds after the first snapshot. */
  readonly afterMs: number;
}

export interface CorporationRun {
  readonly seconds: number;
  readonly rows: number;
  /** The peak memory of the process so far, in megabytes. */
  readonly peakMb: number;
}

export interface CorporationRuns {
  readonly first: CorporationRun;
  readonly unchanged: CorporationRun;
  readonly changed: CorporationRun;
}

/** More than the cache time of assets. */
const CACHE_MS = 3_601_000;

/** Measures a million assets, an unchanged snapshot, and one with 1 % changed, on each path, in a process with the engine alone. */
export async function measureCorporation(
  servers: BenchServers,
  template: string,
  temporals: readonly (string | undefined)[],
): Promise<CorporationRuns[]> {
  const simulator = await servers.simulator({
    characters: 1,
    corporations: 1,
    'corp-assets': CORPORATION_ASSETS,
    universe: 'full',
    latency: LATENCY_MS,
    'no-limits': true,
  });
  const { url: esiUrl, sdeUrl, ssoUrl } = simulator;
  const dataDir = join(servers.dir, 'sde');
  const done: CorporationRuns[] = [];
  for (const temporal of temporals) {
    await nextAssets(simulator, 'corporation', 0);
    const runs = await onCopy(servers, template, async (databaseUrl) => {
      await servers.admin('CHECKPOINT');
      const input = { temporal, databaseUrl, esiUrl, sdeUrl, ssoUrl, dataDir };
      return withProcess('corporation-process.js', async (send) => {
        const run = (afterMs: number) =>
          send({ ...input, afterMs } satisfies CorporationInput) as Promise<CorporationRun>;
        const first = await run(0);
        await nextAssets(simulator, 'corporation', 0);
        const unchanged = await run(CACHE_MS);
        await nextAssets(simulator, 'corporation', CHURN);
        return { first, unchanged, changed: await run(2 * CACHE_MS) };
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
