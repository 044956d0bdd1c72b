import { benchAssets } from './assets.ts';
import { benchBudget } from './budget.ts';
import { benchMarket } from './market.ts';
import { benchOwners } from './owners.ts';
import { benchUniverse } from './universe.ts';

/** Each bench prints a table, writes bench/results/NAME.json, and returns whether every bound held. */
const BENCHES: Readonly<Record<string, { about: string; run: () => Promise<boolean> }>> = {
  market: {
    about: 'market orders: The Forge and all regions, against reading them',
    run: benchMarket,
  },
  budget: {
    about: "ESI's limits: used to the full, never exceeded, and what the rate limiter costs",
    run: benchBudget,
  },
  owners: {
    about: "owners: the dispatcher, a day of a thousand characters, Temporal's growth",
    run: benchOwners,
  },
  assets: {
    about:
      'assets: 50,000 against reading them, a million within a bound of memory, a hundred snapshots of history',
    run: benchAssets,
  },
  universe: { about: 'static data: a first and an unchanged import against a yardstick', run: benchUniverse },
};

const name = process.argv[2];
const bench = name === undefined ? undefined : BENCHES[name];
if (bench) {
  if (!(await bench.run())) process.exitCode = 1;
} else {
  if (name !== undefined) console.error(`Unknown bench "${name}".`);
  console.log('Usage: npm run bench -- NAME');
  for (const [each, { about }] of Object.entries(BENCHES)) console.log(`  ${each.padEnd(10)} ${about}`);
  if (name !== undefined) process.exitCode = 2;
}
