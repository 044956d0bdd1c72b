import { Agent, type Dispatcher, request as send } from 'undici';
import type { Clock } from '../lib/clock.ts';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { INTERACTIVE } from './facts/priorities.ts';
import type { Route } from './facts/routes.ts';
import { CircuitBreaker, CircuitOpenError } from './circuit-breaker.ts';
import { readJson } from './response-body.ts';
import type { Admission, RateLimiter } from './limits/admission.ts';
import { classifyStatus, header, isServerTrouble } from './classify-status.ts';
import { EsiError } from './esi-error.ts';
import { readFreshness } from './freshness.ts';
import { RequestGate } from './limits/request-gate.ts';
import { type EsiResponse, type EsiRequest, messageOf, requestUrl } from './esi-request.ts';

export interface EsiClientOptions {
  readonly baseUrl: string;
  readonly userAgent: string;
  readonly compatibilityDate?: string;
  readonly budget: RateLimiter;
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
/** While waiting, a sign of life at least this often: a tenth of the activities' heartbeat timeout. */
const PULSE = 4_000;
/** Ten failures in a row are no coincidence; half a minute lets a server breathe. */
const BREAKER = { maxFailures: 10, resetAfter: 30_000 };

/** The only place that collects from ESI; `doctor` knocks once by itself. */
export class EsiClient {
  private readonly options: EsiClientOptions;
  private readonly agent: Agent;
  private readonly breaker: CircuitBreaker;
  private readonly gate: RequestGate;
  private lastAnswer: number | undefined;
  private lastTrouble: { at: number; message: string } | undefined;

  constructor(options: EsiClientOptions) {
    this.options = options;
    const { timeouts, clock, paused, downtime = true } = options;
    this.breaker = new CircuitBreaker({ ...BREAKER, clock, isFailure: isServerTrouble });
    this.gate = new RequestGate({ clock, paused, downtime, probe: () => this.probe() });
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

  /** The answer to a POST, which carries `ids`; the same in everything else. */
  post(request: EsiRequest & { readonly ids: readonly number[] }): Promise<EsiResponse> {
    return this.get(request);
  }

  /**
   * One answer, 200 or 304. Throws EsiError: `wait` with a time (too fast, error-limited, paused, downtime, breaker),
   * `retry` after three tries in vain, `fail` for a 4xx, which is never repeated.
   */
  async get(request: EsiRequest): Promise<EsiResponse> {
    let requests = 0;
    let admission: Admission | undefined;
    for (let tries = 1, waits = 0, renewed = false; ;) {
      try {
        admission = await this.admit(request);
        requests++;
        request.heartbeat?.();
        const leave = admission;
        const answer = await this.breaker.execute(() => this.once(request, leave));
        return { ...answer, requests };
      } catch (error) {
        if (error instanceof CircuitOpenError) {
          admission?.cancel();
          throw this.restError(requests - 1);
        }
        request.signal?.throwIfAborted();
        if (!(error instanceof EsiError)) throw error;
        error.requests = requests;
        // A 429 or 420 is no failure: admit() waits as long as ESI said, or hands a long wait back, as we do many.
        if (error.verdict === 'wait' && error.status !== undefined && ++waits < TRIES) continue;
        if (error.status === 401 && request.auth && !renewed) {
          renewed = true;
          await request.auth.renew();
          continue;
        }
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
        retryAfter: BREAKER.resetAfter,
      },
    );
    error.requests = requests;
    return error;
  }

  /** Waits until the request may leave; throws EsiError `wait` when that takes longer than it is worth standing by. */
  private async admit(request: EsiRequest): Promise<Admission> {
    await this.gate.assertOpen(request.route);
    const { auth } = request;
    await auth?.token(); // where there is none to be had nothing needs to be admitted
    const admission = await this.options.budget.admit(auth ? { ...request, user: auth.user } : request);
    try {
      await this.gate.assertOpen(request.route); // a pause or the downtime may have begun while it waited
      return admission;
    } catch (error) {
      admission.cancel();
      throw error;
    }
  }

  private async probe(): Promise<unknown> {
    const request: EsiRequest = { route: '/status', priority: INTERACTIVE };
    return (await this.once(request, await this.options.budget.admit(request))).json;
  }

  private async rest(ms: number, request: EsiRequest): Promise<void> {
    for (let left = ms; left > 0; left -= PULSE) {
      request.heartbeat?.();
      await this.options.clock.sleep(Math.min(left, PULSE), request.signal);
    }
  }

  private async once(request: EsiRequest, admission: Admission): Promise<Omit<EsiResponse, 'requests'>> {
    const { baseUrl, observe } = this.options;
    const url = requestUrl(request);
    const started = performance.now();
    let status = 'error';
    try {
      const answer = await send(baseUrl + url, {
        dispatcher: this.agent,
        ...(await messageOf(request, this.options)),
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

  private async understand(
    answer: Dispatcher.ResponseData,
    url: string,
  ): Promise<Omit<EsiResponse, 'requests'>> {
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

  private trouble(error: unknown, url: string): AppError {
    const known =
      error instanceof AppError // an access token that is not to be had is no trouble of ESI's
        ? error
        : new EsiError(`ESI could not be reached for ${url}: ${describeError(error)}`, {
            code: 'ESI_UNREACHABLE',
            verdict: 'retry',
            cause: error,
          });
    if (known instanceof EsiError && known.verdict === 'retry')
      this.lastTrouble = { at: this.options.clock.now(), message: known.message };
    else if (known instanceof EsiError && known.status !== undefined)
      this.lastAnswer = this.options.clock.now();
    this.options.log.debug({ code: known.code }, known.message);
    return known;
  }
}
