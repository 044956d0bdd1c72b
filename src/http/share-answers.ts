import type { MiddlewareHandler } from 'hono';
import type { Clock } from '../lib/clock.ts';
import { SECOND } from '../lib/duration.ts';

interface SharedAnswer {
  readonly startedAt: number;
  readonly answer: Promise<{ readonly status: number; readonly type: string; readonly body: string }>;
  isComputed: boolean;
}

/** Shares answers that are the same for all who may ask. */
export interface AnswerSharing {
  /** Computes the answer of a path once a second at most. Who asks meanwhile gets the same one. */
  readonly share: MiddlewareHandler;
  /** Forgets the answers after a request that may have changed what they show, so that its sender sees the change. */
  readonly forgetAfterChange: MiddlewareHandler;
}

/** The answers take many statements each; thousands of requests at once must cost no more than one. */
export function createAnswerSharing(clock: Clock): AnswerSharing {
  const answers = new Map<string, SharedAnswer>();
  return {
    async share(c, next) {
      const known = answers.get(c.req.path);
      if (known && (!known.isComputed || clock.now() - known.startedAt < SECOND)) {
        const { status, type, body } = await known.answer;
        return new Response(body, { status, headers: { 'content-type': type } });
      }
      const compute = async () => {
        await next(); // never rejects: an error is an answer by now
        const { status, headers } = c.res;
        return { status, type: headers.get('content-type') ?? '', body: await c.res.clone().text() };
      };
      const shared: SharedAnswer = { startedAt: clock.now(), answer: compute(), isComputed: false };
      answers.set(c.req.path, shared);
      await shared.answer;
      shared.isComputed = true;
      return undefined;
    },
    async forgetAfterChange(c, next) {
      await next();
      if (c.req.method !== 'GET' && c.req.method !== 'HEAD') answers.clear();
    },
  };
}
