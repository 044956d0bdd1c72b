import { Agent, type Dispatcher, request as send } from 'undici';
import type { Clock } from '../lib/clock.ts';
import type { ExactInt } from '../lib/exact-int.ts';
import { HOUR } from '../lib/duration.ts';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { BodyLimits, type BodyLimitOptions } from './body-limits.ts';
import { classifyError, header } from './classify-status.ts';
import { EsiError } from './esi-error.ts';
import { type EsiRequest, type EsiResponse, messageOf, requestUrl } from './esi-request.ts';
import { INTERACTIVE } from './facts/priorities.ts';
import type { Route } from './facts/routes.ts';
import { type Freshness, readFreshness } from './freshness.ts';
import { type Admission, CONNECTIONS, type RateLimiter } from './limits/admission.ts';
import { RequestGate } from './request-gate.ts';
import { readErrorBody, readJson } from './response-body.ts';
import { RouteBreakers } from './route-breakers.ts';

export interface EsiClientOptions {
  readonly baseUrl: string;
  readonly userAgent: string;
  readonly compatibilityDate?: string;
  readonly rateLimiter: RateLimiter;
  readonly clock: Clock;
  readonly log: Log;
  /** Returns the reason of the operator's pause, or undefined. */
  readonly paused?: () => Promise<string | undefined>;
  /** Whether this ESI has EVE's daily downtime (default). A simulated one has none. */
  readonly downtime?: boolean;
  /** Reads answers that all processes share. Default: every request is sent. */
  readonly answers?: SharedAnswers;
  /** Called after each request, with its duration in seconds. */
  readonly observe?: (route: Route, status: string, seconds: number) => void;
  /** Milliseconds; shorter in tests. */
  readonly timeouts?: { connect?: number; headers?: number; body?: number };
  /** Milliseconds before the first retry. Default 500. */
  readonly backoff?: number;
  /** Numbers from 0 to 1 that spread the retries. Default: Math.random. */
  readonly random?: () => number;
  /** Requests at once; fewer in tests. */
  readonly connections?: number;
  /** Bytes of the largest accepted body. */
  readonly maxBody?: number;
  /** Limits of bodies; smaller in tests. */
  readonly bodyLimits?: Partial<BodyLimitOptions>;
  /** What sends the requests. Default: connections of its own. */
  readonly dispatcher?: Dispatcher;
}

/**
 * A page is complete within a second and a large answer within five. 96 MB are twelve of the largest answers. Slow bodies may
 * take half of the connections, so that others are answered meanwhile.
 */
const BODY_LIMITS: BodyLimitOptions = {
  total: 96 * 1024 * 1024,
  time: 20_000,
  slowAfter: 5_000,
  slowAtOnce: CONNECTIONS / 2,
};

type StoredAnswer = Pick<EsiResponse, 'json' | 'etag' | keyof Freshness>;

/** Answers that all processes share until they expire. */
export interface SharedAnswers {
  /** The stored answer of a URL, or that of `request`, which gets the expired one. */
  read(
    url: string,
    request: (known: StoredAnswer | undefined) => Promise<StoredAnswer>,
    signal?: AbortSignal,
  ): Promise<StoredAnswer>;
}

/** The state of ESI as its last answers show it. */
export interface EsiHealth {
  readonly status: 'ok' | 'degraded' | 'down' | 'unknown';
  readonly detail: string;
}

/** ESI asks for few retries. */
const MAX_ATTEMPTS = 3;
/** A request that waits for its next attempt calls its heartbeat after this time. */
const HEARTBEAT_EVERY = 4_000;

/** Client of ESI. Every request of a collector goes through it; only `doctor` sends a request of its own. */
export class EsiClient {
  private readonly options: EsiClientOptions;
  private readonly dispatcher: Dispatcher;
  private readonly breakers: RouteBreakers;
  private readonly gate: RequestGate;
  private readonly bodyLimits: BodyLimits;
  private lastAnswerAt: number | undefined;
  private lastFailure: { at: number; message: string } | undefined;

  constructor(options: EsiClientOptions) {
    this.options = options;
    const { timeouts, clock, paused, downtime = true } = options;
    this.breakers = new RouteBreakers(options);
    this.gate = new RequestGate({ clock, paused, downtime, probe: () => this.probe() });
    this.bodyLimits = new BodyLimits({ ...BODY_LIMITS, ...options.bodyLimits });
    this.dispatcher =
      options.dispatcher ??
      new Agent({
        connections: options.connections ?? CONNECTIONS,
        pipelining: 1,
        keepAliveTimeout: 30_000,
        connect: { timeout: timeouts?.connect ?? 5_000 },
        headersTimeout: timeouts?.headers ?? 15_000, // ESI gives up on its own servers after 10 s (504)
        bodyTimeout: timeouts?.body ?? 15_000,
      });
  }

  /** The state of ESI by its last answers. Sends nothing. */
  health(): EsiHealth {
    if (this.lastAnswerAt === undefined && !this.lastFailure)
      return { status: 'unknown', detail: 'no request yet' };
    if (!this.lastFailure || (this.lastAnswerAt ?? 0) >= this.lastFailure.at)
      return { status: 'ok', detail: 'responding' };
    const status = this.lastAnswerAt === undefined ? 'down' : 'degraded';
    return { status, detail: this.lastFailure.message };
  }

  /** Whether ESI's last answer was a failure, within the last hour: an older one says nothing of now. */
  isFailing(): boolean {
    if (!this.lastFailure || (this.lastAnswerAt ?? 0) > this.lastFailure.at) return false;
    return this.options.clock.now() - this.lastFailure.at < HOUR;
  }

  async close(): Promise<void> {
    await this.dispatcher.destroy();
  }

  /** Sends a POST with `ids` as its body; everything else as for `get`. */
  post(request: EsiRequest & { readonly ids: readonly ExactInt[] }): Promise<EsiResponse> {
    return this.get(request);
  }

  /**
   * Sends a request and returns the answer, 200 or 304. Throws EsiError: `wait` with a time (rate limited, error
   * limited, paused, downtime, breaker), `retry` after three failed attempts, `fail` for a 4xx, which is not repeated.
   */
  get(request: EsiRequest): Promise<EsiResponse> {
    return request.shared ? this.share(request, (known) => this.fetch(known)) : this.fetch(request);
  }

  /** The answer that all processes share. It counts the requests that were sent for this call. */
  private async share(
    request: EsiRequest,
    fetch: (request: EsiRequest) => Promise<Omit<EsiResponse, 'requests'> & { requests?: number }>,
  ): Promise<EsiResponse> {
    const { answers } = this.options;
    let requests = 0;
    const send = async (known?: StoredAnswer) => {
      const answer = await fetch({ ...request, etag: known?.etag });
      requests = answer.requests ?? 1;
      return answer.status === 304 ? { ...answer, json: known?.json } : answer;
    };
    const url = requestUrl(request);
    const answer = await (answers ? answers.read(url, send, request.signal) : send());
    return { ...answer, status: 200, url, requests };
  }

  private async fetch(request: EsiRequest): Promise<EsiResponse> {
    let requests = 0;
    let admission: Admission | undefined;
    for (let attempt = 1, waits = 0, isRenewed = false; ;) {
      try {
        admission = await this.admit(request);
        request.heartbeat?.();
        const admitted = admission;
        const answer = await this.breakers.execute(request.route, () => {
          requests++;
          return this.sendOnce(request, admitted);
        });
        return { ...answer, requests };
      } catch (error) {
        admission?.cancel(); // no effect where the request was sent
        request.signal?.throwIfAborted();
        if (!(error instanceof EsiError)) throw error;
        error.requests = requests;
        // After a 429 or 420 admit() waits as long as ESI asks, or throws when that is long.
        if (error.verdict === 'wait' && error.status !== undefined && ++waits < MAX_ATTEMPTS) continue;
        if (error.status === 401 && request.auth && !isRenewed) {
          isRenewed = true;
          await request.auth.renew();
          continue;
        }
        if (error.verdict !== 'retry' || attempt >= MAX_ATTEMPTS) throw error;
        const { backoff = 500, random = Math.random } = this.options;
        await this.sleep(backoff * 2 ** attempt * (0.5 + random() / 2), request);
        attempt++;
      }
    }
  }

  /** Waits until the request may be sent. Throws EsiError `wait` when that takes longer than a worker should wait. */
  private async admit(request: EsiRequest): Promise<Admission> {
    await this.gate.assertOpen(request.route);
    const { auth } = request;
    await auth?.token(); // a request that gets no token needs no admission
    const admission = await this.options.rateLimiter.admit(auth ? { ...request, user: auth.user } : request);
    try {
      await this.gate.assertNotStopped(request.route); // a pause or the downtime may have begun meanwhile
      return admission;
    } catch (error) {
      admission.cancel();
      throw error;
    }
  }

  private async probe(): Promise<unknown> {
    const request: EsiRequest = { route: '/status', priority: INTERACTIVE };
    const send = async (conditional: EsiRequest) =>
      this.sendOnce(conditional, await this.options.rateLimiter.admit(conditional));
    return (await this.share(request, send)).json;
  }

  private async sleep(ms: number, request: EsiRequest): Promise<void> {
    for (let left = ms; left > 0; left -= HEARTBEAT_EVERY) {
      request.heartbeat?.();
      await this.options.clock.sleep(Math.min(left, HEARTBEAT_EVERY), request.signal);
    }
  }

  private async sendOnce(request: EsiRequest, admission: Admission): Promise<Omit<EsiResponse, 'requests'>> {
    const { baseUrl, observe } = this.options;
    const url = requestUrl(request);
    const started = performance.now();
    let answer: Dispatcher.ResponseData | undefined;
    try {
      answer = await send(baseUrl + url, {
        dispatcher: this.dispatcher,
        ...(await messageOf(request, this.options)),
        signal: request.signal ?? null,
      });
      admission.complete(answer.statusCode, answer.headers);
      return await this.readAnswer(answer, url);
    } catch (error) {
      // An aborted request says nothing about ESI.
      throw request.signal?.aborted ? error : this.recordFailure(error, url);
    } finally {
      admission.complete(answer?.statusCode, answer?.headers);
      observe?.(request.route, String(answer?.statusCode ?? 'error'), (performance.now() - started) / 1_000);
    }
  }

  private async readAnswer(
    answer: Dispatcher.ResponseData,
    url: string,
  ): Promise<Omit<EsiResponse, 'requests'>> {
    const { statusCode, headers } = answer;
    if (statusCode !== 200 && statusCode !== 204 && statusCode !== 304)
      throw classifyError(statusCode, headers, url, await readErrorBody(answer, this.bodyLimits));
    let json: unknown;
    if (statusCode === 200) json = await readJson(answer, url, this.bodyLimits, this.options.maxBody);
    else await answer.body.dump();
    const now = this.options.clock.now();
    const freshness = readFreshness(headers, now, url);
    this.lastAnswerAt = now;
    return { status: statusCode === 304 ? 304 : 200, url, json, etag: header(headers, 'etag'), ...freshness };
  }

  /** Records what an error says about the state of ESI, and returns it as an AppError. */
  private recordFailure(error: unknown, url: string): AppError {
    if (error instanceof AppError && !(error instanceof EsiError)) return error; // a token that cannot be got
    const esiError =
      error instanceof EsiError
        ? error
        : new EsiError(`Could not reach ESI for ${url}: ${describeError(error)}`, {
            code: 'ESI_UNREACHABLE',
            verdict: 'retry',
            cause: error,
          });
    const now = this.options.clock.now();
    if (esiError.verdict === 'retry') this.lastFailure = { at: now, message: esiError.message };
    else if (esiError.status !== undefined) this.lastAnswerAt = now;
    this.options.log.debug({ code: esiError.code }, esiError.message);
    return esiError;
  }
}
