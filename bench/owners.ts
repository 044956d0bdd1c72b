import { measureDay } from './support/measure-day.ts';
import { makeTemplate } from './support/databases.ts';
import { measureLooks } from './support/look.ts';
import { type Bound, type Line, writeReport } from './support/report.ts';
import { withServers } from './support/servers.ts';
import { measureTemporal } from './support/temporal-growth.ts';

const TEMPLATE = 'owners';

const NOTES = [
  'A look: sealTokens, takeDueRuns and tendAffiliations as `dispatch` and its child call them, without Temporal.',
  "The day: virtual time, real PostgreSQL and HTTP; the budget is the product's, on its ledger, 300 requests a minute.",
  'A request takes 150 ms of virtual time, ten runs are under way at once; access tokens live twenty minutes.',
  'Every assignment runs every 60 minutes: the intervals of the product (10 to 60) double the runs, an hour of bench.',
  'Each character plays every four hours, in the last hour nobody does. Left out: Temporal, and the pacer of a process.',
  'The daily downtime is left out as well: the product expects none of a simulated ESI.',
  'Late: from one collection to the next, less the interval or the shortest Expires, whichever is longer;',
  'the way from the first to the second is not counted: chance spreads over it what was assigned at once.',
  'Commits of the day do not wait for the disk. Temporal: the growth of its SQLite file and write-ahead log.',
];

const PARTS = { looks: measureLooks, day: measureDay, temporal: measureTemporal };

/**
 * What thousands of assignments cost: a look of the dispatcher, a day of a thousand characters, Temporal's state.
 * `BENCH_PART=looks`, `day` or `temporal` measures that alone.
 */
export async function benchOwners(): Promise<boolean> {
  const lines: Line[] = [];
  const bounds: Bound[] = [];
  const raw: Record<string, unknown> = {};
  let postgres = '';
  // oxlint-disable-next-line node/no-process-env -- a bench's own switch
  const only = process.env['BENCH_PART'];
  await withServers(async (servers) => {
    postgres = servers.postgresVersion;
    const simulator = await servers.simulator();
    await makeTemplate(servers, TEMPLATE, simulator);
    await simulator.stop();
    for (const [name, measure] of Object.entries(PARTS)) {
      if (only !== undefined && only !== name) continue;
      const measured = await measure(servers, TEMPLATE);
      lines.push(...measured.lines);
      bounds.push(...measured.bounds);
      Object.assign(raw, measured.raw);
    }
  });
  return writeReport({ name: 'owners', postgres, notes: NOTES, lines, bounds, raw });
}
