import { readdir, readFile } from 'node:fs/promises';

/** The kernel counts CPU in ticks of this many seconds (sysconf(_SC_CLK_TCK) is 100 everywhere). */
const TICK = 1 / 100;

/** Milliseconds: a process that starts and ends in between is missed; PostgreSQL's short ones live longer. */
const SAMPLE_EVERY = 100;

/** Counts the CPU that a process and its children use. Ended processes count as they were last seen. */
export async function watchTree(parent: number) {
  const seen = new Map<number, number>();
  const sample = async () => {
    for (const pid of await childrenOf(parent)) {
      const seconds = await cpuOf(pid);
      if (seconds !== undefined) seen.set(pid, seconds);
    }
  };
  await sample();
  const stopped = new AbortController();
  const sampling = (async () => {
    while (!stopped.signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_EVERY));
      await sample();
    }
  })();
  return {
    /** Seconds of CPU until now, since the first process began. */
    async seconds(): Promise<number> {
      await sample();
      return [...seen.values()].reduce((sum, seconds) => sum + seconds, 0);
    },
    async stop(): Promise<void> {
      stopped.abort();
      await sampling;
    },
  };
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0);
  const parents = await Promise.all(pids.map(async (pid) => Number((await fieldsOf(pid))?.[1])));
  return [parent, ...pids.filter((_, i) => parents[i] === parent)];
}

/** The fields of /proc/PID/stat from the state on; the name before may hold anything. Undefined: it has ended. */
async function fieldsOf(pid: number): Promise<string[] | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

async function cpuOf(pid: number): Promise<number | undefined> {
  const fields = await fieldsOf(pid);
  return fields && (Number(fields[11]) + Number(fields[12])) * TICK;
}
