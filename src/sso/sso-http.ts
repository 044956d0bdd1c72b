import { Agent, type Dispatcher, request } from 'undici';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { redactSecrets } from '../lib/redact.ts';
import { type SsoAnswer, ssoFailure } from './sso-errors.ts';

export interface SsoTimeouts {
  /** Milliseconds to connect. Default 5,000. */
  readonly connect?: number;
  /** Milliseconds from the request to the end of the answer. Default 15,000. */
  readonly answer?: number;
}

export interface SsoHttpOptions {
  readonly baseUrl: string;
  readonly userAgent: string;
  readonly log: Log;
  readonly timeouts?: SsoTimeouts | undefined;
}

export interface SsoRequest {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** HTTP client of the SSO. */
export interface SsoHttp {
  /**
   * Returns the answer, whatever its status. Redirects are not followed. Throws AppError `retry`: SSO_UNREACHABLE, or
   * SSO_TROUBLE when the answer is too large.
   */
  send(url: string, request?: SsoRequest): Promise<SsoAnswer>;
  close(): Promise<void>;
}

/** As for ESI. */
const CONNECT_MS = 5_000;
/** A person may be waiting and a refresh holds a lock, so it is only a little longer than a slow answer of ESI. */
const ANSWER_MS = 15_000;
/** The largest known answer, a token with a hundred scopes, has about 6 KB. */
const MAX_BODY = 64 * 1024;

async function readText(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY)
      throw ssoFailure(
        `An answer of EVE's login server is larger than ${MAX_BODY >> 10} KB and was not read.`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A host with several addresses fails with one error per address, and no message of its own. */
function reasonOf(error: unknown): string {
  return redactSecrets(describeError((error as { errors?: readonly unknown[] }).errors?.[0] ?? error));
}

export function createSsoHttp({ baseUrl, userAgent, log, timeouts }: SsoHttpOptions): SsoHttp {
  const answerMs = timeouts?.answer ?? ANSWER_MS;
  // Connections are not reused. Requests are rare, and a broken one would leave open whether a refresh was done.
  const agent = new Agent({ pipelining: 0, connect: { timeout: timeouts?.connect ?? CONNECT_MS } });
  return {
    close: () => agent.destroy(),
    async send(url, { method = 'GET', headers, body } = {}) {
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
          signal: timeout,
        });
        const text = await readText(answer.body);
        const retryAfter = answer.headers['retry-after'];
        log.debug({ path: new URL(url).pathname, status: answer.statusCode }, 'the SSO answered');
        return {
          status: answer.statusCode,
          text,
          retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
        };
      } catch (error) {
        if (error instanceof AppError) throw error;
        const reason = timeout.aborted ? `no answer within ${answerMs / 1_000} s` : reasonOf(error);
        // Without the cause: a parser's error contains what was received, which may be a token.
        throw new AppError(
          `Could not reach EVE's login server (${baseUrl}): ${reason}. Check the network of this machine and SSO_BASE_URL.`,
          { code: 'SSO_UNREACHABLE', verdict: 'retry' },
        );
      }
    },
  };
}
