import { Agent, type Dispatcher, request } from 'undici';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { redactSecrets } from '../lib/redact.ts';
import { type SsoAnswer, ssoTrouble } from './sso-errors.ts';

export interface SsoTimeouts {
  /** Milliseconds until the connection stands. Default 5,000. */
  readonly connect?: number;
  /** Milliseconds from asking to the end of the answer. Default 15,000. */
  readonly answer?: number;
}

export interface SsoHttpOptions {
  readonly baseUrl: string;
  readonly userAgent: string;
  readonly log: Log;
  readonly timeouts?: SsoTimeouts | undefined;
}

export interface SsoCall {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests to the SSO. */
export interface SsoHttp {
  /**
   * The answer, whatever its status; redirects are not followed. Throws AppError `retry`: SSO_UNREACHABLE, or
   * SSO_TROUBLE for an answer too large; the signal's reason when the caller gave up.
   */
  send(url: string, call?: SsoCall): Promise<SsoAnswer>;
  close(): Promise<void>;
}

/** As to ESI. */
const CONNECT_MS = 5_000;
/** A person may be waiting, and a refresh holds a lock: longer than a slow answer of ESI, shorter than patience. */
const ANSWER_MS = 15_000;
/** The largest true answer, a token of a hundred scopes, has some 6 KB. */
const MAX_BODY = 64 * 1024;

async function readText(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY)
      throw ssoTrouble(
        `An answer of EVE's login server is larger than ${MAX_BODY >> 10} KB; it is not read.`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A name with several addresses fails with one error for each, and no words of its own. */
function reasonOf(error: unknown): string {
  return redactSecrets(describeError((error as { errors?: readonly unknown[] }).errors?.[0] ?? error));
}

/** Causes are not kept: a parser's error holds what was received, and that may be a token. */
function unreachable(baseUrl: string, why: string): AppError {
  return new AppError(
    `EVE's login server (${baseUrl}) cannot be reached: ${why}. Check the network of this machine and SSO_BASE_URL.`,
    { code: 'SSO_UNREACHABLE', verdict: 'retry' },
  );
}

export function createSsoHttp({ baseUrl, userAgent, log, timeouts }: SsoHttpOptions): SsoHttp {
  const answerMs = timeouts?.answer ?? ANSWER_MS;
  // No kept connections: one that had died would leave open whether a refresh was done, and they are asked for rarely.
  const agent = new Agent({ pipelining: 0, connect: { timeout: timeouts?.connect ?? CONNECT_MS } });
  return {
    close: () => agent.destroy(),
    async send(url, { method = 'GET', headers, body, signal } = {}) {
      const timeout = AbortSignal.timeout(answerMs);
      try {
        const answer = await request(url, {
          dispatcher: agent,
          method,
          headers: {
            accept: 'application/json',
            ...headers,
            'accept-encoding': 'identity',
            'user-agent': userAgent,
          },
          body: body ?? null,
          signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        });
        const text = await readText(answer.body);
        const after = answer.headers['retry-after'];
        log.debug({ path: new URL(url).pathname, status: answer.statusCode }, 'the SSO answered');
        return { status: answer.statusCode, text, retryAfter: Array.isArray(after) ? after[0] : after };
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof AppError) throw error;
        throw unreachable(
          baseUrl,
          timeout.aborted ? `no answer within ${answerMs / 1_000} s` : reasonOf(error),
        );
      }
    },
  };
}
