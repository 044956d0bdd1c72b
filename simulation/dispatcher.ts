import { AsyncLocalStorage } from 'node:async_hooks';
import { Dispatcher } from 'undici';
import type { Process, Scheduler } from './scheduler.ts';
import type { Server, SimulatedAnswer, SimulatedRequest } from './server.ts';

/** One execution of a step by a process. */
export interface Execution {
  readonly process: Process;
  /** When it began, in turns. */
  readonly began: number;
  /** When it ended by itself, in turns; undefined while it runs, and where its process died. */
  ended: number | undefined;
  /** What it has read may be lost: its workflow is gone, or its twin has read the same. */
  isOrphan: boolean;
}

/** The execution that the code under way belongs to. */
export const executions = new AsyncLocalStorage<Execution>();

/** Called with each answer that arrives, and the execution that asked. */
export type AnswerListener = (
  request: SimulatedRequest,
  answer: SimulatedAnswer,
  execution: Execution | undefined,
) => void;

/** Sends requests of a process to the simulated ESI, without a network. Each waits for its turn. */
export class SimulatedConnection extends Dispatcher {
  private readonly parts: { server: Server; scheduler: Scheduler; process: Process; listen: AnswerListener };

  constructor(parts: { server: Server; scheduler: Scheduler; process: Process; listen: AnswerListener }) {
    super();
    this.parts = parts;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { server, scheduler, process, listen } = this.parts;
    const execution = executions.getStore();
    const headers = options.headers as Record<string, string>;
    const request: SimulatedRequest = {
      method: options.method,
      path: options.path,
      etag: headers['if-none-match'],
      body: typeof options.body === 'string' ? options.body : '',
    };
    let aborted: Error | undefined;
    handler.onConnect?.((reason?: Error) => {
      aborted ??= reason ?? new Error('aborted');
      if (process.isAlive) handler.onError?.(aborted);
    });
    const send = async () => {
      if (aborted) return undefined;
      scheduler.advance(server.latency());
      const answer = server.answer(request);
      listen(request, answer, execution);
      return answer;
    };
    void scheduler
      .enter(process, `${request.method} ${request.path}`, () => ({ done: send(), pid: () => undefined }))
      .then((answer) => answer && !aborted && deliver(handler, answer));
    return true;
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }

  override destroy(): Promise<void> {
    return Promise.resolve();
  }
}

const broken = () => Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });

/** Hands an answer to undici, as a connection does. */
function deliver(
  handler: Dispatcher.DispatchHandler,
  { status, headers, body, isCut }: SimulatedAnswer,
): void {
  if (status === 0) return handler.onError?.(broken());
  const raw = Object.entries(headers).flatMap(([name, value]) => [Buffer.from(name), Buffer.from(value)]);
  handler.onHeaders?.(status, raw, () => undefined, '');
  const data = Buffer.from(body);
  if (isCut) {
    handler.onData?.(data.subarray(0, data.length >> 1));
    return handler.onError?.(broken());
  }
  if (data.length > 0) handler.onData?.(data);
  handler.onComplete?.([]);
}
