import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The message that replaces a result. */
type Failure = { readonly failed: string };

/**
 * Runs `work` with a child process that holds only what is measured: no simulator, no database server. `send` sends it
 * an input and returns what its `answerParent` returns. `script` is a compiled file beside this one.
 */
export async function withProcess<T>(
  script: string,
  work: (send: (input: object) => Promise<object>) => Promise<T>,
): Promise<T> {
  const child = fork(fileURLToPath(new URL(`./${script}`, import.meta.url)), {
    execArgv: ['--enable-source-maps'],
  });
  const ended = once(child, 'exit');
  const send = async (input: object) => {
    child.send(input);
    const answer = await Promise.race([once(child, 'message'), ended.then(() => undefined)]);
    if (!answer) throw new Error(`the process of ${script} ended without a result`);
    const [result] = answer as [object | Failure];
    if ('failed' in result) throw new Error(result.failed);
    return result;
  };
  try {
    return await work(send);
  } finally {
    if (child.connected) child.disconnect(); // the child then ends
    await ended;
  }
}

/** Answers every input of the parent. `work` must close what it opens, so that the process can end. */
export function answerParent(work: (input: never) => Promise<object>): void {
  process.on('message', (input) => {
    void work(input as never).then(
      (result) => process.send?.(result),
      (error: unknown) => {
        console.error(error);
        process.send?.({ failed: String(error) } satisfies Failure);
      },
    );
  });
}

/** The peak memory of this process in megabytes, as the kernel measures it (VmHWM). */
export async function peakMemory(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
