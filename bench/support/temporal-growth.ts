import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { onCopy } from './databases.ts';
import { benchEngine } from './bench-engine.ts';
import { logIn } from './log-in-characters.ts';
import type { Measured } from './measure-parts.ts';
import { ASSIGNMENTS, assignAll, charactersOf } from './insert-owners.ts';
import { startTemporal, withWorkers } from './run-paths.ts';
import { type Line, rounded, timed } from './report.ts';
import type { BenchServers } from './bench-servers.ts';

/** With four collectors each this makes a thousand runs. */
const CHARACTERS = 250;
const CORPORATIONS = 25;

/** The cache time in seconds, so that everything is due in the next round. */
const CACHE_SECONDS = 1;

/** An hour of dispatcher runs that find nothing due. */
const IDLE_RUNS = 60;

/** The time between two checks whether all runs have ended. */
const POLL_MS = 200;

/** The server writes ended runs a moment later. */
const WRITE_DELAY_MS = 2_000;

const KB = 1_024;

/** A thousand characters with four collectors, each once an hour. */
const RUNS_A_DAY = 96_000;

const SECONDS_A_DAY = 86_400;

interface Round {
  readonly runs: number;
  readonly seconds: number;
  /** Seconds of each workflow `dispatch`. */
  readonly dispatches: readonly number[];
  readonly grown: number;
}

/** Measures what Temporal stores of a thousand runs and of an idle hour, and how fast it runs them. */
export async function measureTemporal(servers: BenchServers, template: string): Promise<Measured> {
  const address = await startTemporal(servers);
  const simulator = await servers.simulator({
    characters: CHARACTERS,
    corporations: CORPORATIONS,
    'owner-cache': CACHE_SECONDS,
    'no-limits': true,
  });
  return onCopy(servers, template, async (databaseUrl) => {
    const { url: esiUrl, sdeUrl, ssoUrl } = simulator;
    const engine = benchEngine({ databaseUrl, esiUrl, sdeUrl, ssoUrl, dataDir: join(servers.dir, 'sde') });
    const ids = charactersOf(CHARACTERS);
    try {
      await logIn(engine.context, (method, id) => simulator.control('sso', { method, args: [id] }), ids);
      await assignAll(engine.context, ids);
      return await withWorkers(address, engine.context, (client) =>
        measure(client, engine.context, join(servers.dir, 'temporal')),
      );
    } finally {
      await engine.close();
    }
  });
}

async function measure(client: Client, context: EngineContext, dir: string): Promise<Measured> {
  const first = await round(client, context, dir);
  const second = await round(client, context, dir);
  const before = await bytesOf(dir);
  const { seconds } = await timed(async () => {
    for (let i = 0; i < IDLE_RUNS; i++) await dispatch(client);
  });
  await systemClock.sleep(WRITE_DELAY_MS);
  const idle = (await bytesOf(dir)) - before;
  const events = {
    run: await eventsOf(client, `${ASSIGNMENTS[0]!.collector}/character/${charactersOf(1)[0]}`),
    dispatch: await eventsOf(client, 'owners'),
  };
  const daysKept = await daysKeptOf(client);
  return {
    lines: [
      lineOf('runs through Temporal, first load', first),
      lineOf('runs through Temporal, unchanged', second),
      {
        what: 'an hour of dispatcher runs that find nothing',
        runs: IDLE_RUNS,
        'ms a run': rounded((seconds * 1_000) / IDLE_RUNS),
        'MB of Temporal': rounded(idle / KB / KB),
      },
      {
        what: 'events in a history',
        'a run': events.run,
        'a dispatcher run that finds nothing': events.dispatch,
      },
      {
        what: `what Temporal stores of ${RUNS_A_DAY.toLocaleString('en')} runs a day`,
        'days kept': daysKept,
        GB: rounded(((second.grown / second.runs) * RUNS_A_DAY * daysKept) / KB ** 3),
      },
    ],
    bounds: [],
    raw: { temporal: { first, second, idle, events, daysKept } },
  };
}

function lineOf(what: string, { runs, seconds, dispatches, grown }: Round): Line {
  return {
    what,
    runs,
    seconds: rounded(seconds),
    'runs a second': rounded(runs / seconds),
    'slowest dispatch ms': rounded(Math.max(...dispatches) * 1_000),
    'MB of Temporal per 1,000 runs': rounded(((grown / runs) * 1_000) / KB / KB),
  };
}

/** Makes everything due and runs the dispatcher until nothing is due. */
async function round(client: Client, context: EngineContext, dir: string): Promise<Round> {
  const { pool } = context.db;
  const before = await bytesOf(dir);
  const dispatches: number[] = [];
  let runs = 0;
  await pool.query('UPDATE collector_assignments SET next_collection_at = NULL');
  const { seconds } = await timed(async () => {
    for (let started = -1; started !== 0;) {
      const dispatched = await timed(() => dispatch(client));
      started = dispatched.result.started;
      runs += started;
      dispatches.push(dispatched.seconds);
    }
    await allEnded(client);
  });
  await systemClock.sleep(WRITE_DELAY_MS);
  return { runs, seconds, dispatches, grown: (await bytesOf(dir)) - before };
}

function dispatch(client: Client): Promise<{ started: number }> {
  const options = { taskQueue: 'collect', workflowId: 'owners', args: [] };
  return client.workflow.execute('dispatch', options) as Promise<{ started: number }>;
}

async function allEnded(client: Client): Promise<void> {
  for (;;) {
    const { count } = await client.workflow.count(`ExecutionStatus = 'Running'`);
    if (count === 0) return;
    await systemClock.sleep(POLL_MS);
  }
}

const eventsOf = async (client: Client, workflowId: string) =>
  (await client.workflow.getHandle(workflowId).describe()).historyLength;

/** The days that the server keeps ended runs. */
async function daysKeptOf({ workflowService, options: { namespace } }: Client): Promise<number> {
  const { config } = await workflowService.describeNamespace({ namespace });
  return Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / SECONDS_A_DAY;
}

/** The state of the server: an SQLite file and its write-ahead log. */
async function bytesOf(dir: string): Promise<number> {
  const files = (await readdir(dir)).filter((name) => /\.(?:db|sqlite)(?:-wal)?$/.test(name));
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(dir, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
