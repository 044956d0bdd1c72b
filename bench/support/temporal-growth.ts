import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { onCopy } from './databases.ts';
import { benchEngine } from './engine.ts';
import { logIn } from './logins.ts';
import type { Measured } from './measured.ts';
import { ASSIGNED, assignAll, charactersOf } from './owner-rows.ts';
import { startTemporal, withWorkers } from './paths.ts';
import { type Line, rounded, timed } from './report.ts';
import type { BenchServers } from './servers.ts';

/** With four collectors each: a thousand runs. */
const CHARACTERS = 250;
const CORPORATIONS = 25;

/** Seconds that anything is cached, so that the next round finds everything due. */
const CACHE = '1';

/** An hour of looks that find nothing due. */
const IDLE_LOOKS = 60;

/** Between two questions whether all runs have ended. */
const POLL_MS = 200;

/** The server writes what has ended a moment later. */
const SETTLE_MS = 2_000;

const KB = 1_024;

/** A thousand characters with four collectors, each once an hour. */
const RUNS_A_DAY = 96_000;

const SECONDS_A_DAY = 86_400;

interface Round {
  readonly runs: number;
  readonly seconds: number;
  /** Seconds of each workflow `dispatch`. */
  readonly looks: readonly number[];
  readonly grown: number;
}

/** What Temporal keeps of a thousand runs and of an hour of looks, and how fast runs go through it. */
export async function measureTemporal(servers: BenchServers, template: string): Promise<Measured> {
  const address = await startTemporal(servers);
  const simulator = await servers.simulator(
    ...['--characters', String(CHARACTERS), '--corporations', String(CORPORATIONS)],
    ...['--owner-cache', CACHE, '--no-limits'],
  );
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
    for (let i = 0; i < IDLE_LOOKS; i++) await dispatch(client);
  });
  await systemClock.sleep(SETTLE_MS);
  const idle = (await bytesOf(dir)) - before;
  const events = {
    run: await eventsOf(client, `${ASSIGNED[0]!.collector}/character/${charactersOf(1)[0]}`),
    look: await eventsOf(client, 'owners'),
  };
  const daysKept = await daysKeptOf(client);
  return {
    lines: [
      lineOf('runs through Temporal, first load', first),
      lineOf('runs through Temporal, unchanged', second),
      {
        what: 'an hour of looks that find nothing',
        ...{ looks: IDLE_LOOKS, 'ms a look': rounded((seconds * 1_000) / IDLE_LOOKS) },
        'MB of Temporal': rounded(idle / KB / KB),
      },
      { what: 'events in a history', 'a run': events.run, 'a look that finds nothing': events.look },
      {
        what: `what Temporal comes to hold of ${RUNS_A_DAY.toLocaleString('en')} runs a day`,
        ...{
          'days kept': daysKept,
          GB: rounded(((second.grown / second.runs) * RUNS_A_DAY * daysKept) / KB ** 3),
        },
      },
    ],
    bounds: [],
    raw: { temporal: { first, second, idle, events, daysKept } },
  };
}

function lineOf(what: string, { runs, seconds, looks, grown }: Round): Line {
  return {
    what,
    ...{ runs, seconds: rounded(seconds), 'runs a second': rounded(runs / seconds) },
    ...{ 'worst look ms': rounded(Math.max(...looks) * 1_000) },
    ...{ 'MB of Temporal per 1,000 runs': rounded(((grown / runs) * 1_000) / KB / KB) },
  };
}

/** Makes everything due, and has the dispatcher start it until nothing is. */
async function round(client: Client, context: EngineContext, dir: string): Promise<Round> {
  const { pool } = context.db;
  const before = await bytesOf(dir);
  const looks: number[] = [];
  let runs = 0;
  await pool.query('UPDATE collector_assignments SET next_collection_at = NULL');
  const { seconds } = await timed(async () => {
    for (let started = -1; started !== 0;) {
      const look = await timed(() => dispatch(client));
      started = look.result.started;
      runs += started;
      looks.push(look.seconds);
    }
    await allEnded(client);
  });
  await systemClock.sleep(SETTLE_MS);
  return { runs, seconds, looks, grown: (await bytesOf(dir)) - before };
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

/** How long the server keeps runs that have ended. */
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
