import type { ServerResponse } from 'node:http';
import type { Clock } from '../src/lib/clock.ts';
import { refusalOf } from './auth.ts';
import type { Budget } from './budget.ts';
import type { Call } from './call.ts';
import { failure, type Content } from './content.ts';
import { breaking, type Breaking, type Fault, type FaultBox } from './faults.ts';
import { hiddenRefusal, type HiddenLimiter } from './hidden.ts';
import { distort } from './limit-headers.ts';
import type { Limits } from './limits.ts';
import type { Judge } from './judge.ts';
import type { Owners } from './owners/owners.ts';
import {
  baseHeaders,
  cacheHeaders,
  isKnown,
  sendContent,
  sendFlood,
  sendHalf,
  sendHead,
  sendStatus,
  sendText,
} from './respond.ts';
import { findRoute } from './routes.ts';
import type { SsoService } from './sso/service.ts';
import type { World } from './world.ts';

/** What the handlers work with. */
export interface Engine {
  world: World;
  box: FaultBox;
  limits: Limits;
  hidden: HiddenLimiter;
  judge: Judge;
  budget: Budget;
  clock: Clock;
  latencyMs: number;
  owners: Owners;
  sso: SsoService;
  /** Refreshes under way, by character. */
  refreshing: Map<number, number>;
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const FIRST_DATE = '2020-01-01';

/** ESI refuses dates that are none, too old, or still to come; without one the oldest behaviour applies. */
function badDate(call: Call, now: number): boolean {
  const date = call.header('x-compatibility-date') ?? call.query.get('compatibility_date');
  if (date === undefined || date === null) return false;
  const today = new Date(Math.max(now, Date.now())).toISOString().slice(0, 10); // a test's clock may stand in the past
  return !DATE.test(date) || date < FIRST_DATE || date > today;
}

function resolve(engine: Engine, call: Call): Content {
  const found = findRoute(call);
  if (!found) return failure(404, 'Not found');
  if (!found.allowed) return failure(405, 'Method not allowed');
  if (badDate(call, engine.clock.now())) return failure(400, 'invalid compatibility date');
  const { world, box, owners } = engine;
  const refusal = refusalOf(owners, found.route, call, found.id);
  return (
    refusal ??
    found.route.resolve({ world, box, owners, now: engine.clock.now() }, call, found.id, found.part)
  );
}

const PROSE =
  'You have made too many failing requests. Please fix what you send, and wait for the end of the minute.';

/** Books an answer, and gives the limit headers as the faults leave them. */
function settle(engine: Engine, call: Call, status: number): Record<string, string> {
  const counted = engine.limits.settle(call, status);
  call.booked(status, call.overHidden || status === 429 || status === 420);
  return distort(counted, engine.box.take(['limitHeaders'], call)?.how);
}

/** The limiter in the game server: no header tells of it, and its refusals count as errors. */
function refuseHidden(
  engine: Engine,
  call: Call,
  response: ServerResponse,
  headers: Record<string, string>,
): boolean {
  if (!call.overHidden) return false;
  const refusal = hiddenRefusal(engine.box.take(['hiddenLimitAs'], call)?.code ?? 429, engine.hidden.limit);
  settle(engine, call, refusal.status);
  sendContent(response, call, refusal, headers);
  return true;
}

function refuse(
  engine: Engine,
  call: Call,
  response: ServerResponse,
  headers: Record<string, string>,
): boolean {
  const refusal = engine.limits.refuse(call);
  if (!refusal) return false;
  const { status, seconds } = refusal;
  const counted = settle(engine, call, status);
  const retry = status === 429 ? { 'Retry-After': String(seconds) } : {};
  const text = JSON.stringify({ error: status === 429 ? 'Rate limit exceeded' : PROSE });
  sendText(response, status, text, { ...headers, ...counted, ...retry });
  engine.judge.refuse(call, status, seconds, engine.clock.now());
  return true;
}

/** Notes what a spoilt answer told the caller, so that ignoring it is an offence. */
function noteStatus(engine: Engine, call: Call, fault: Fault & { kind: 'status' }): void {
  const seconds = Number(fault.retryAfter);
  const { code } = fault;
  if ((code === 429 || code === 420) && seconds > 0)
    engine.judge.refuse(call, code, seconds, engine.clock.now());
  else
    engine.judge.answer(call, {
      status: code,
      expires: undefined,
      version: '',
      pages: undefined,
      damaged: true,
    });
}

async function spoil(
  engine: Engine,
  call: Call,
  response: ServerResponse,
  fault: Breaking,
  headers: Record<string, string>,
): Promise<void> {
  if (fault.kind === 'status') {
    const counted = settle(engine, call, fault.code);
    sendStatus(response, fault, { ...headers, ...(fault.headers ? counted : {}) });
    noteStatus(engine, call, fault);
    return;
  }
  engine.judge.fail(call);
  const all = { ...headers, ...settle(engine, call, 200) };
  if (fault.kind === 'body')
    sendText(response, 200, fault.text, { ...all, 'Content-Type': fault.contentType });
  else if (fault.kind === 'oversize') await sendFlood(response, fault.bytes, all);
  else {
    const content = resolve(engine, call);
    const whole = { ...all, ...cacheHeaders(content, 0) };
    if (fault.kind === 'truncate') sendHalf(response, content, whole);
    else if (fault.kind === 'resetMidway') await sendHead(response, content.body.gzip.length, whole);
  }
}

/** Answers one call of ESI. */
export async function handleEsi(engine: Engine, call: Call, response: ServerResponse): Promise<void> {
  const skew = engine.box.take(['clockSkew'], call)?.ms ?? 0;
  const headers = baseHeaders(engine.clock.now(), skew);
  const fault = breaking(engine.box, call);
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'reset') {
    response.socket?.destroy();
    return;
  }
  if (refuse(engine, call, response, headers) || refuseHidden(engine, call, response, headers)) return;
  if (fault) {
    await spoil(engine, call, response, fault, headers);
    return;
  }
  const content = resolve(engine, call);
  const known = isKnown(call, content);
  const status = known ? 304 : content.status;
  Object.assign(headers, cacheHeaders(content, skew), settle(engine, call, status));
  engine.judge.answer(call, {
    status,
    expires: content.expires?.getTime(),
    version: content.version,
    pages: content.pages,
    damaged: content.damaged ?? false,
    told: content.told,
  });
  if (engine.box.take(['loseAnswer'], call)) {
    engine.judge.fail(call);
    response.socket?.destroy();
  } else if (!known) sendContent(response, call, content, headers);
  else response.writeHead(304, headers).end();
}
