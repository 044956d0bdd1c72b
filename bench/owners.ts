import { makeTemplate } from './support/databases.ts';
import { measureDispatcher } from './support/dispatcher-runs.ts';
import { measureDay } from './support/measure-day.ts';
import { runParts } from './support/measure-parts.ts';
import { measureTemporal } from './support/temporal-growth.ts';

const TEMPLATE = 'owners';

const NOTES = [
  'Dispatcher: encryptTokens, takeDueRuns and refreshAffiliations as `dispatch` and its child call them, without Temporal.',
  'Day: virtual time, real PostgreSQL and HTTP; the rate limiter is the product’s, in PostgreSQL, with 300 requests a minute.',
  'A request takes 150 ms of virtual time, ten runs are in progress at once; access tokens live twenty minutes.',
  'Every assignment runs every 60 minutes: the intervals of the product (10 to 60) double the runs, an hour of bench.',
  'The data of each character changes every four hours, except in the last hour. Temporal and the pacer of a process are left out.',
  'The daily downtime is left out as well: the product expects none of a simulated ESI.',
  'Late: from one collection to the next, less the interval or the shortest Expires, whichever is longer;',
  'the time from the first to the second is not counted: assignments created together are spread over it at random.',
  'Commits of the day do not wait for the disk. Temporal: the growth of its SQLite file and write-ahead log.',
];

/** The cost of thousands of assignments: runs of the dispatcher, a day of a thousand characters, Temporal's state. */
export const benchOwners = (): Promise<boolean> =>
  runParts({
    name: 'owners',
    notes: NOTES,
    async prepare(servers) {
      const simulator = await servers.simulator();
      await makeTemplate(servers, TEMPLATE, simulator);
      await simulator.stop();
    },
    parts: {
      dispatcher: (servers) => measureDispatcher(servers, TEMPLATE),
      day: (servers) => measureDay(servers, TEMPLATE),
      temporal: (servers) => measureTemporal(servers, TEMPLATE),
    },
  });
