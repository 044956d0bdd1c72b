import { join } from 'node:path';
import { withProcess } from './measured-process.ts';
import { makeTemplate, onCopy } from './databases.ts';
import type { BenchClock } from './bench-engine.ts';
import { CACHE_MS, FORGE, USUAL_CHURN } from './measure-forge.ts';
import { LATENCY_MS, type Raw } from './measure-rounds.ts';
import { measureRawOrders } from './raw-reading.ts';
import { type BenchServers, type BenchSimulator, controlOf } from './bench-servers.ts';

/** Page counts of the largest regions. All others have one page or a few. */
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

/** Orders by region as counted: nine large regions, 77 with one page, and the rest with 2 to 9 pages. */
export function regionSizes(ids: readonly number[]): Map<number, number> {
  const large = new Map(LARGE);
  const small = ids.filter((id) => !large.has(id)).slice(0, REGIONS - LARGE.length);
  const middle = small.length - ONE_PAGE;
  let left = PAGES - ONE_PAGE - LARGE.reduce((sum, [, pages]) => sum + pages, 0);
  const pages = new Map(large);
  small.forEach((id, i) => {
    // The rest is spread evenly: 14 pages a region would be too many, so large ones come first.
    const share = i < middle ? Math.ceil(left / (middle - i)) : 1;
    if (i < middle) left -= share;
    pages.set(id, share);
  });
  // Last pages are not full: every region has as many rows less as make the sum of all orders.
  const sum = [...pages.values()].reduce((total, n) => total + n, 0);
  const missing = Math.round((sum * PAGE - ORDERS) / pages.size);
  return new Map([...pages].map(([id, n]) => [id, n * PAGE - missing]));
}

/** One sweep over all regions. */
export interface Sweep {
  readonly seconds: number;
  /** Seconds of CPU of the process. */
  readonly cpu: number;
  /** Rows that were inserted, changed or removed. */
  readonly rows: number;
  /** Milliseconds that the event loop was held at most. */
  readonly longestHold: number;
}

/** The result of the child process. */
export interface ProcessResult {
  readonly first: Sweep;
  /** Sweeps in which the usual share of the orders has changed. */
  readonly steady: readonly Sweep[];
  /** The peak memory of the process, in megabytes. */
  readonly peakMb: number;
}

export interface AllRegions extends ProcessResult {
  readonly regions: number;
  readonly raw: Raw;
}

export interface AllRegionsInput {
  /** The address of the Temporal server; undefined for a direct run. */
  readonly temporal: string | undefined;
  readonly databaseUrl: string;
  readonly esiUrl: string;
  readonly sdeUrl: string;
  readonly dataDir: string;
  readonly regions: readonly number[];
}

/** A simulated ESI with all regions, and a database that knows its universe. */
export interface AllRegionsWorld {
  readonly simulator: BenchSimulator;
  readonly regions: readonly number[];
  readonly template: string;
}

/** Runs `work` with a simulated ESI that has all regions. */
export async function startAllRegions<T>(
  servers: BenchServers,
  work: (world: AllRegionsWorld) => Promise<T>,
): Promise<T> {
  const sizes = regionSizes(await regionIds(servers));
  const simulator = await servers.simulator({
    regions: [...sizes].map(([id, count]) => `${id}=${count}`).join(','),
    universe: 'full',
    latency: LATENCY_MS,
    'no-limits': true,
    warm: true,
    churn: 0,
  });
  const template = 'all_regions';
  await makeTemplate(servers, template, simulator);
  const result = await work({ simulator, regions: [...sizes.keys()], template });
  await simulator.stop();
  await servers.admin(`DROP DATABASE ${template}`);
  return result;
}

/** Takes a snapshot of every region and packs its pages in advance, because that is not the work of the product. */
export async function nextSnapshots(
  { esiUrl, regions }: { readonly esiUrl: string; readonly regions: readonly number[] },
  clock: BenchClock,
): Promise<void> {
  const control = controlOf(esiUrl);
  await control('churn', { share: USUAL_CHURN });
  for (const region of regions) {
    await control('take-snapshot', { region });
    await control('warm', { region });
  }
  clock.advance(CACHE_MS);
}

/** Measures all regions in a process with the engine alone: no simulator, no database server. */
export const measureAllRegions = (
  servers: BenchServers,
  temporals: readonly (string | undefined)[],
): Promise<AllRegions[]> =>
  startAllRegions(servers, async ({ simulator, regions, template }) => {
    const raw = await measureRawOrders(simulator.url, regions);
    const { url: esiUrl, sdeUrl } = simulator;
    const dataDir = join(servers.dir, 'sde');
    const results: AllRegions[] = [];
    for (const temporal of temporals) {
      const result = await onCopy(servers, template, async (databaseUrl) => {
        await servers.admin('CHECKPOINT');
        const input: AllRegionsInput = { temporal, databaseUrl, esiUrl, sdeUrl, dataDir, regions };
        return withProcess('all-regions-process.js', (send) => send(input) as Promise<ProcessResult>);
      });
      console.log(`all regions in ${result.first.seconds.toFixed(1)} s, peak ${result.peakMb.toFixed(0)} MB`);
      results.push({ ...result, regions: regions.length, raw });
    }
    return results;
  });

async function regionIds(servers: BenchServers): Promise<number[]> {
  const simulator = await servers.simulator({ universe: 'full' });
  const answer = await fetch(`${simulator.url}/universe/regions`);
  const ids = (await answer.json()) as number[];
  await simulator.stop();
  return ids;
}
