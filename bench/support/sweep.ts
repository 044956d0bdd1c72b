import { join } from 'node:path';
import { withChild } from './child.ts';
import { makeTemplate, onCopy } from './databases.ts';
import { FORGE, LATENCY } from './forge.ts';
import type { BenchServers } from './servers.ts';

/** Page counts of the largest regions; all others have one page or a few. */
const LARGE: readonly (readonly [region: number, pages: number])[] = [
  [FORGE, 434],
  [10_000_043, 190], // Domain
  [10_000_032, 128], // Sinq Laison
  [10_000_042, 127], // Metropolis
  [10_000_016, 79], // Lonetrek
  [10_000_030, 76], // Heimatar
  [10_000_064, 51], // Essence
  [10_000_033, 51], // The Citadel
  [10_000_048, 45], // Placid
];
const REGIONS = 113;
const ONE_PAGE = 77;
const PAGES = 1_687;
const ORDERS = 1_650_000;
const PAGE = 1_000;

/** Orders by region, as counted: nine large regions, 77 of one page, and the rest of 2 to 9 pages. */
export function regionSizes(ids: readonly number[]): Map<number, number> {
  const large = new Map(LARGE);
  const small = ids.filter((id) => !large.has(id)).slice(0, REGIONS - LARGE.length);
  const middle = small.length - ONE_PAGE;
  let left = PAGES - ONE_PAGE - LARGE.reduce((sum, [, pages]) => sum + pages, 0);
  const pages = new Map(large);
  small.forEach((id, i) => {
    // The rest is dealt out evenly: 14 pages a region would be too many, so large ones come first.
    const share = i < middle ? Math.ceil(left / (middle - i)) : 1;
    if (i < middle) left -= share;
    pages.set(id, share);
  });
  // Last pages are not full: as many rows less in every region as make the sum of all orders.
  const sum = [...pages.values()].reduce((total, n) => total + n, 0);
  const missing = Math.round((sum * PAGE - ORDERS) / pages.size);
  return new Map([...pages].map(([id, n]) => [id, n * PAGE - missing]));
}

/** What the child reports. */
export interface Sweep {
  readonly seconds: number;
  /** The most memory the process ever had, in megabytes. */
  readonly peakMb: number;
  readonly regions: number;
  readonly rows: number;
  readonly outcomes: Readonly<Record<string, number>>;
}

export interface SweepOrder {
  /** Of the Temporal server; undefined: without Temporal. */
  readonly temporal: string | undefined;
  readonly databaseUrl: string;
  readonly esiUrl: string;
  readonly sdeUrl: string;
  readonly dataDir: string;
  readonly regions: readonly number[];
}

/** All regions in a process of its own, which holds nothing but the engine: no simulator, no database server. */
export async function measureSweeps(
  servers: BenchServers,
  temporals: readonly (string | undefined)[],
): Promise<Sweep[]> {
  const regions = await regionIds(servers);
  const sizes = regionSizes(regions);
  const simulator = await servers.simulator(
    ...['--regions', [...sizes].map(([id, count]) => `${id}=${count}`).join(','), '--universe', 'full'],
    ...['--latency', LATENCY, '--no-limits', '--warm', '--churn', '0'],
  );
  await makeTemplate(servers, 'sweep', simulator);
  const dataDir = join(servers.dir, 'sde');
  const { url: esiUrl, sdeUrl } = simulator;
  const sweeps: Sweep[] = [];
  for (const temporal of temporals) {
    const sweep = await onCopy(servers, 'sweep', async (databaseUrl) => {
      await servers.admin('CHECKPOINT');
      const order: SweepOrder = {
        temporal,
        databaseUrl,
        esiUrl,
        sdeUrl,
        dataDir,
        regions: [...sizes.keys()],
      };
      return withChild('sweep-child.js', (ask) => ask(order) as Promise<Sweep>);
    });
    console.log(
      `${sweep.regions} regions in ${sweep.seconds.toFixed(1)} s, peak ${sweep.peakMb.toFixed(0)} MB`,
    );
    sweeps.push(sweep);
  }
  await simulator.stop();
  return sweeps;
}

async function regionIds(servers: BenchServers): Promise<number[]> {
  const simulator = await servers.simulator('--universe', 'full');
  const answer = await fetch(`${simulator.url}/universe/regions`);
  const ids = (await answer.json()) as number[];
  await simulator.stop();
  return ids;
}
