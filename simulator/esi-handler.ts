import type { ServerResponse } from 'node:http';
import { findRoute } from './all-routes.ts';
import { accessRefusal } from './check-access.ts';
import { compatibilityDate, type Call } from './esi-call.ts';
import { takeAnswerFault, type AnswerFault, type Fault } from './faults.ts';
import { hiddenRefusal } from './hidden-limit.ts';
import { distortHeaders } from './limit-headers.ts';
import { errorContent, type Content } from './route-content.ts';
import {
  baseHeaders,
  cacheHeaders,
  isKnown,
  sendContent,
  sendFaultAnswer,
  sendText,
  type Headers,
} from './send-answer.ts';
import type { SimulatorParts } from './simulator-parts.ts';

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const FIRST_DATE = '2020-01-01';

/** ESI refuses malformed dates, dates before the first one and dates in the future. A call may have none. */
function hasInvalidDate(call: Call, now: number): boolean {
  const date = compatibilityDate(call);
  if (date === undefined) return false;
  const today = new Date(Math.max(now, Date.now())).toISOString().slice(0, 10); // the clock of a test may be in the past
  return !DATE.test(date) || date < FIRST_DATE || date > today;
}

function resolve({ world, activeFaults, owners, clock }: SimulatorParts, call: Call): Content {
  const found = findRoute(call);
  if (!found) return errorContent(404, 'Not found');
  if (!found.allowed) return errorContent(405, 'Method not allowed');
  const now = clock.now();
  if (hasInvalidDate(call, now)) return errorContent(400, 'invalid compatibility date');
  return (
    accessRefusal(owners, found.route, call, found.id) ??
    found.route.resolve({ world, activeFaults, owners, now }, call, found.id, found.part)
  );
}

const ERROR_LIMIT_TEXT =
  'You have made too many failing requests. Please fix what you send, and wait for the end of the minute.';

/** Counts an answer and returns the limit headers, as the faults leave them. */
function countAnswer(parts: SimulatorParts, call: Call, status: number): Headers {
  const headers = parts.limits.countAnswer(call, status);
  call.recordAnswer(status, call.overHidden || status === 429 || status === 420);
  return distortHeaders(headers, parts.activeFaults.take(['limitHeaders'], call)?.how);
}

/** Refuses a call over the hidden limit. No header announces that limit, and its refusals count as errors. */
function refuseHidden(
  parts: SimulatorParts,
  call: Call,
  response: ServerResponse,
  headers: Headers,
): boolean {
  if (!call.overHidden) return false;
  const code = parts.activeFaults.take(['hiddenLimitAs'], call)?.code ?? 429;
  const refusal = hiddenRefusal(code, parts.hiddenLimit.limit);
  countAnswer(parts, call, refusal.status);
  sendContent(response, call, refusal, headers);
  return true;
}

function refuse(parts: SimulatorParts, call: Call, response: ServerResponse, headers: Headers): boolean {
  const refusal = parts.limits.refuse(call);
  if (!refusal) return false;
  const { status, seconds } = refusal;
  const limitHeaders = countAnswer(parts, call, status);
  const retry = status === 429 ? { 'Retry-After': String(seconds) } : {};
  const text = JSON.stringify({ error: status === 429 ? 'Rate limit exceeded' : ERROR_LIMIT_TEXT });
  sendText(response, status, text, { ...headers, ...limitHeaders, ...retry });
  parts.offences.recordRefusal(call, status, seconds, parts.clock.now());
  return true;
}

/** Records what a status fault announced to the caller, so that ignoring it is an offence. */
function recordStatusFault(parts: SimulatorParts, call: Call, fault: Fault & { kind: 'status' }): void {
  const seconds = Number(fault.retryAfter);
  const { code } = fault;
  if ((code === 429 || code === 420) && seconds > 0)
    parts.offences.recordRefusal(call, code, seconds, parts.clock.now());
  else
    parts.offences.recordAnswer(call, {
      status: code,
      expires: undefined,
      version: '',
      pages: undefined,
      damaged: true,
    });
}

async function answerWithFault(
  parts: SimulatorParts,
  call: Call,
  response: ServerResponse,
  fault: AnswerFault,
  headers: Headers,
): Promise<void> {
  if (fault.kind === 'status') recordStatusFault(parts, call, fault);
  else parts.offences.recordFailure(call);
  const limitHeaders = countAnswer(parts, call, fault.kind === 'status' ? fault.code : 200);
  const withLimits = fault.kind !== 'status' || fault.headers ? { ...headers, ...limitHeaders } : headers;
  await sendFaultAnswer(response, fault, withLimits, () => {
    const content = resolve(parts, call);
    const contentHeaders = { ...withLimits, ...cacheHeaders(content, 0), 'Content-Encoding': 'gzip' };
    return { data: content.body.gzip, headers: contentHeaders };
  });
}

/** Answers one call of ESI. */
export async function handleEsi(parts: SimulatorParts, call: Call, response: ServerResponse): Promise<void> {
  const { activeFaults, offences } = parts;
  const skew = activeFaults.take(['clockSkew'], call)?.ms ?? 0;
  const headers = baseHeaders(parts.clock.now(), skew);
  const fault = takeAnswerFault(activeFaults, call);
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'reset') {
    response.socket?.destroy();
    return;
  }
  if (refuse(parts, call, response, headers) || refuseHidden(parts, call, response, headers)) return;
  if (fault) {
    await answerWithFault(parts, call, response, fault, headers);
    return;
  }
  const content = resolve(parts, call);
  const known = isKnown(call, content);
  const status = known ? 304 : content.status;
  Object.assign(headers, cacheHeaders(content, skew), countAnswer(parts, call, status));
  offences.recordAnswer(call, {
    status,
    expires: content.expires?.getTime(),
    version: content.version,
    pages: content.pages,
    damaged: content.damaged ?? false,
    permanentRefusal: content.permanentRefusal,
  });
  if (activeFaults.take(['loseAnswer'], call)) {
    offences.recordFailure(call);
    response.socket?.destroy();
  } else if (!known) sendContent(response, call, content, headers);
  else response.writeHead(304, headers).end();
}
