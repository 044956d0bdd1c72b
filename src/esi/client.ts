import { BrokenCircuitError, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import { Agent, type Dispatcher, request as send } from 'undici';
import type { Clock } from '../kernel/clock.ts';
import { describeError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { INTERACTIVE } from '../spec/priorities.ts';
import { COMPATIBILITY_DATE, type Route, fillPath } from '../spec/routes.ts';
import { readJson } from './body.ts';
import type { Admission, Budget } from './budget.ts';
import { classifyStatus, header, isServerTrouble } from './classify.ts';
import { downtimePhase, serverIsBack } from './downtime.ts';
import { EsiError } from './errors.ts';
import { type Freshness, readFreshness } from './freshness.ts';

export interface EsiRequest {
  readonly route: Route;
  readonly params?: Readonly<Record<string, number | string>>;
  readonly query?: Readonly<Record<string, string>>;
  /** Makes the request conditional; the answer may then be a 304 without a body. */
  readonly etag?: string | undefined;
  /** 1 (a person waits) to 5 (backfill); 3 when nothing is said. */
  readonly priority?: number;
  /** Whose bucket: the address where nothing is said, or the application and character of a token. */
  readonly user?: string;
  readonly signal?: AbortSignal | undefined;
  /** Called before each try and every few seconds of waiting: a sign of life for whoever watches. */
  readonly alive?: (() => void) | undefined;
}

export interface EsiAnswer extends Freshness {
  readonly status: 200 | 304;
  /** Path and query: what an ETag belongs to. */
  readonly url: string;
  /** Undefined with 304. */
  readonly json: unknown;
  readonly etag: string | undefined;
  /** How many requests it took. */
  readonly requests: number;
}

export interface EsiClientOptions {
  readonly baseUrl: string;
  readonly userAgent: string;
  readonly compatibilityDate?: string;
  readonly budget: Budget;
  readonly clock: Clock;
  readonly log: Log;
  /** Requests at once; ESI prefers few connections and steady traffic. */
  readonly connections?: number;
  /** Says why nothing may be sent now (an operator's pause), or undefined. */
  readonly paused?: () => Promise<string | undefined>;
  /** Whether this ESI has EVE's daily downtime (default). A simulated one has none. */
  readonly downtime?: boolean;
  readonly observe?: (route: Route, status: string, seconds: number) => void;
  /** Milliseconds; shorter in tests. */
  readonly timeouts?: { connect?: number; headers?: number; body?: number };
  readonly backoff?: number;
  readonly maxBody?: number;
}

export interface EsiHealth {
  readonly status: 'ok' | 'degraded' | 'down' | 'unknown';
  readonly detail: string;
}

/** Three tries, as ESI asks for few. */
const TRIES = 3;
/** How soon a paused request looks again. */
const PAUSE_LOOK = 10_000;
/** While waiting, a sign of life at least this often: a tenth of the activities' heartbeat timeout. */
const PULSE = 4_000;
/** Ten failures in a row are no coincidence; half a minute lets a server breathe. */
const BREAKER = { failures: 10, rest: 30_000 };
/** ESI caches /status for 30 s. */
const STATUS_CACHE = 30_000;

/** The only place that collects from ESI; `doctor` knocks once by itself. */
export class EsiClient {
  private readonly options: EsiClientOptions;
  private readonly agent: Agent;
  private readonly breaker = circuitBreaker(handleWhen(isServerTrouble), {
    halfOpenAfter: BREAKER.rest,
    breaker: new ConsecutiveBreaker(BREAKER.failures),
  });
  private statusProbe: { at: number; back: Promise<boolean> } | undefined;
  private lastAnswer: number | undefined;
  private lastTrouble: { at: number; message: string } | undefined;

  constructor(options: EsiClientOptions) {
    this.options = options;
    const { timeouts } = options;
    this.agent = new Agent({
      connections: options.connections ?? 20, // the politeness cap of ESI's community
      pipelining: 1,
      keepAliveTimeout: 30_000,
      connect: { timeout: timeouts?.connect ?? 5_000 },
      headersTimeout: timeouts?.headers ?? 15_000, // ESI gives up on its own servers after 10 s (504)
      bodyTimeout: timeouts?.body ?? 15_000,
    });
  }

  /** What the last answers tell of ESI; sends nothing. */
  health(): EsiHealth {
    if (this.lastAnswer === undefined && !this.lastTrouble)
      return { status: 'unknown', detail: 'not asked yet' };
    if (!this.lastTrouble || (this.lastAnswer ?? 0) >= this.lastTrouble.at)
      return { status: 'ok', detail: 'answers' };
    const status = this.lastAnswer === undefined ? 'down' : 'degraded';
    return { status, detail: this.lastTrouble.message };
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  /**
   * One answer, 200 or 304. Throws EsiError: `wait` with a time (too fast, error-limited, paused, downtime, breaker),
   * `retry` after three tries in vain, `fail` for a 4xx, which is never repeated.
   */
  async get(request: EsiRequest): Promise<EsiAnswer> {
    let requests = 0;
    let admission: Admission | undefined;
    for (let tries = 1, waits = 0; ;) {
      try {
        admission = await this.admit(request);
        requests++;
        request.alive?.();
        const leave = admission;
        const answer = await this.breaker.execute(() => this.once(request, leave));
        return { ...answer, requests };
      } catch (error) {
        if (error instanceof BrokenCircuitError) {
          admission?.cancel();
          throw this.restError(requests - 1);
        }
        request.signal?.throwIfAborted();
        if (!(error instanceof EsiError)) throw error;
        error.requests = requests;
        // A 429 or 420 is no failure: admit() waits as long as ESI said, or hands a long wait back, as we do many.
        if (error.verdict === 'wait' && error.status !== undefined && ++waits < TRIES) continue;
        if (error.verdict !== 'retry' || tries >= TRIES) throw error;
        await this.rest((this.options.backoff ?? 500) * 2 ** tries * (0.5 + Math.random() / 2), request);
        tries++;
      }
    }
  }

  private restError(requests: number): EsiError {
    const error = new EsiError(
      `ESI is in trouble (${this.lastTrouble?.message ?? 'no answer'}); it is left alone for a while.`,
      {
        code: 'ESI_BREAKER_OPEN',
        verdict: 'wait',
        retryAfter: BREAKER.rest,
      },
    );
    error.requests = requests;
    return error;
  }

  /** Waits until the request may leave; throws EsiError `wait` when that takes longer than it is worth standing by. */
  private async admit(request: EsiRequest): Promise<Admission> {
    await this.mayAsk(request);
    const admission = await this.options.budget.admit(request);
    try {
      await this.mayAsk(request); // a pause or the downtime may have begun while it waited
      return admission;
    } catch (error) {
      admission.cancel();
      throw error;
    }
  }

  private async mayAsk(request: EsiRequest): Promise<void> {
    const paused = await this.options.paused?.();
    if (paused !== undefined) {
      throw waiting(`Paused by the operator (${paused}); "eve-collector resume" goes on.`, PAUSE_LOOK);
    }
    if (this.options.downtime ?? true) await this.mindDowntime(request);
  }

  private async mindDowntime(request: EsiRequest): Promise<void> {
    const { phase, until } = downtimePhase(this.options.clock.now());
    if (phase === 'open' || request.route === '/status') return;
    if (phase === 'probe' && (await this.isBack())) return;
    const wait = phase === 'closed' ? until - this.options.clock.now() : STATUS_CACHE;
    throw waiting('The daily downtime of EVE (11:00 UTC) is not over.', Math.max(wait, 1_000));
  }

  private isBack(): Promise<boolean> {
    const now = this.options.clock.now();
    if (!this.statusProbe || now - this.statusProbe.at > STATUS_CACHE) {
      const back = this.probe().then(
        (status) => serverIsBack(status, now),
        () => false,
      );
      this.statusProbe = { at: now, back };
    }
    return this.statusProbe.back;
  }

  private async probe(): Promise<unknown> {
    const request: EsiRequest = { route: '/status', priority: INTERACTIVE };
    return (await this.once(request, await this.options.budget.admit(request))).json;
  }

  private async rest(ms: number, request: EsiRequest): Promise<void> {
    for (let left = ms; left > 0; left -= PULSE) {
      request.alive?.();
      await this.options.clock.sleep(Math.min(left, PULSE), request.signal);
    }
  }

  private async once(request: EsiRequest, admission: Admission): Promise<Omit<EsiAnswer, 'requests'>> {
    const { baseUrl, observe } = this.options;
    const url = requestUrl(request);
    const started = performance.now();
    let status = 'error';
    try {
      const answer = await send(baseUrl + url, {
        dispatcher: this.agent,
        headers: this.headers(request.etag),
        signal: request.signal ?? null,
      });
      status = String(answer.statusCode);
      admission.settle(answer.statusCode, answer.headers);
      return await this.understand(answer, url);
    } catch (error) {
      // Whoever gave up waiting says nothing about ESI.
      throw request.signal?.aborted ? error : this.trouble(error, url);
    } finally {
      admission.settle(undefined); // where no answer came; else it is settled already
      observe?.(request.route, status, (performance.now() - started) / 1_000);
    }
  }

  private headers(etag: string | undefined): Record<string, string> {
    return {
      'user-agent': this.options.userAgent,
      'x-compatibility-date': this.options.compatibilityDate ?? COMPATIBILITY_DATE,
      accept: 'application/json',
      'accept-encoding': 'gzip',
      ...(etag === undefined ? {} : { 'if-none-match': etag }),
    };
  }

  private async understand(
    answer: Dispatcher.ResponseData,
    url: string,
  ): Promise<Omit<EsiAnswer, 'requests'>> {
    const { statusCode, headers } = answer;
    if (statusCode !== 200 && statusCode !== 304) {
      await answer.body.dump();
      throw classifyStatus(statusCode, headers, url);
    }
    let json: unknown;
    if (statusCode === 200) json = await readJson(answer, url, this.options.maxBody);
    else await answer.body.dump();
    const now = this.options.clock.now();
    const freshness = readFreshness(headers, now, url);
    this.lastAnswer = now;
    return {
      status: statusCode,
      url,
      json,
      etag: header(headers, 'etag'),
      ...freshness,
    };
  }

  private trouble(error: unknown, url: string): unknown {
    const known =
      error instanceof EsiError
        ? error
        : new EsiError(`ESI could not be reached for ${url}: ${describeError(error)}`, {
            code: 'ESI_UNREACHABLE',
            verdict: 'retry',
            cause: error,
          });
    if (known.verdict === 'retry')
      this.lastTrouble = { at: this.options.clock.now(), message: known.message };
    else if (known.status !== undefined) this.lastAnswer = this.options.clock.now();
    this.options.log.debug({ code: known.code, status: known.status }, known.message);
    return known;
  }
}

/** Path and query of a request: what an ETag belongs to. */
export function requestUrl(request: Pick<EsiRequest, 'route' | 'params' | 'query'>): string {
  const query = new URLSearchParams(request.query).toString();
  return fillPath(request.route, request.params ?? {}) + (query === '' ? '' : `?${query}`);
}

function waiting(message: string, retryAfter: number): EsiError {
  return new EsiError(message, { code: 'ESI_WAIT', verdict: 'wait', retryAfter });
}
