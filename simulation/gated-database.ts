import type pg from 'pg';
import { type Database, databaseOn } from '../src/store/database.ts';
import type { Process, Scheduler } from './scheduler.ts';

/** The connections of one process of the product. */
export interface ProcessDatabase extends Database {
  /** Breaks the connections, as the death of the process does: the server rolls their transactions back. */
  break(): void;
}

const nameOf = (first: unknown): string => {
  const text = typeof first === 'string' ? first : (first as { text?: string }).text;
  return (text ?? 'COPY').replaceAll(/\s+/g, ' ').trim().slice(0, 70);
};

/** Whether the argument of a query is a stream or cursor, which runs until it ends by itself. */
const isStream = (first: unknown): first is NodeJS.ReadWriteStream =>
  typeof first === 'object' && first !== null && 'submit' in first;

const ended = (stream: NodeJS.ReadWriteStream): Promise<void> =>
  new Promise((resolve) => {
    for (const event of ['end', 'finish', 'error', 'close']) stream.once(event, () => resolve());
  });

const pidOf = (client: pg.PoolClient) => (client as unknown as { processID: number }).processID;

/** The connections of one process, whose statements wait for their turn. */
class Connections {
  private readonly real: Database;
  private readonly scheduler: Scheduler;
  private readonly process: Process;
  private readonly open = new Set<pg.PoolClient>();

  constructor(real: Database, scheduler: Scheduler, process: Process) {
    this.real = real;
    this.scheduler = scheduler;
    this.process = process;
  }

  /** Runs one statement on any connection. */
  query(first: unknown, values?: unknown[]): Promise<unknown> {
    return this.scheduler.enter(this.process, nameOf(first), () => {
      let pid: number | undefined;
      const send = async () => {
        const client = await this.take();
        pid = pidOf(client);
        return client.query(first as string, values).finally(() => this.give(client, false));
      };
      return { done: send(), pid: () => pid };
    });
  }

  /** Opens a connection for a transaction. */
  connect(): Promise<pg.PoolClient> {
    return this.scheduler.enter(this.process, 'connect', () => ({
      done: this.take().then((client) => this.gate(client)),
      pid: () => undefined,
    }));
  }

  break(): void {
    for (const client of this.open) this.give(client, true);
  }

  private gate(client: pg.PoolClient): pg.PoolClient {
    const send = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    const pid = () => pidOf(client);
    const query = (first: unknown, values?: unknown[]) => {
      if (!isStream(first))
        return this.scheduler.enter(this.process, nameOf(first), () => ({ done: send(first, values), pid }));
      if (!this.process.isAlive) throw new Error('the process is dead');
      const stream = send(first) as unknown as NodeJS.ReadWriteStream;
      this.scheduler.follow({ done: ended(stream), pid });
      return stream;
    };
    const release = (isBroken?: boolean) => this.give(client, isBroken ?? false);
    return { query, release } as unknown as pg.PoolClient;
  }

  private async take(): Promise<pg.PoolClient> {
    const client = await this.real.pool.connect();
    if (!this.process.isAlive) {
      client.release();
      throw new Error('the process is dead');
    }
    this.open.add(client);
    this.scheduler.held.add(pidOf(client));
    return client;
  }

  private give(client: pg.PoolClient, isBroken: boolean): void {
    if (!this.open.delete(client)) return;
    this.scheduler.held.delete(pidOf(client));
    client.release(isBroken);
  }
}

/** A database whose statements wait for their turn. `real` serves all worlds of this operating system process. */
export function gatedDatabase(real: Database, scheduler: Scheduler, process: Process): ProcessDatabase {
  const connections = new Connections(real, scheduler, process);
  const pool = {
    query: connections.query.bind(connections),
    connect: connections.connect.bind(connections),
  } as unknown as pg.Pool;
  return {
    ...databaseOn(pool, real.prisma),
    close: () => Promise.resolve(),
    break: () => connections.break(),
  };
}
