import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** What comes in place of a result. */
type Failure = { readonly failed: string };

/**
 * Runs `work` beside a process of its own, which holds what is measured and nothing else: no simulator, no database
 * server. `ask` sends it an order and waits for what its `answerParent` makes of it. `script`: a file beside this one,
 * as built.
 */
export async function withChild<T>(
  script: string,
  work: (ask: (order: object) => Promise<object>) => Promise<T>,
): Promise<T> {
  const child = fork(fileURLToPath(new URL(`./${script}`, import.meta.url)), {
    execArgv: ['--enable-source-maps'],
  });
  const ended = once(child, 'exit');
  const ask = async (order: object) => {
    child.send(order);
    const answer = await Promise.race([once(child, 'message'), ended.then(() => undefined)]);
    if (!answer) throw new Error(`the process of ${script} ended without a result`);
    const [result] = answer as [object | Failure];
    if ('failed' in result) throw new Error(result.failed);
    return result;
  };
  try {
    return await work(ask);
  } finally {
    if (child.connected) child.disconnect(); // then nothing keeps it alive
    await ended;
  }
}

/** In the child: answers every order. What an order needs it opens and closes, so that the process can end. */
export function answerParent(work: (order: never) => Promise<object>): void {
  process.on('message', (order) => {
    void work(order as never).then(
      (result) => process.send?.(result),
      (error: unknown) => {
        console.error(error);
        process.send?.({ failed: String(error) } satisfies Failure);
      },
    );
  });
}

/** The most memory that this process ever had, in megabytes: the kernel's own mark. */
export async function peakMemory(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
