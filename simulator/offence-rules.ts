import { ETAG_FORMAT } from './packed-body.ts';
import { isEsi, type Call } from './esi-call.ts';
import { createKnownRefusals, GRACE_MS, type KnownRefusals } from './known-refusals.ts';

export type OffenceKind =
  | 'too-early'
  | 'no-user-agent'
  | 'no-compatibility-date'
  | 'no-gzip'
  | 'page-beyond'
  | 'retried-4xx'
  | 'ignored-retry-after'
  | 'ignored-420'
  | 'conditional-mismatch'
  | 'too-many-in-flight'
  | 'hidden-limit'
  /** A token that is used again although the caller knows that it is refused for good. */
  | 'refused-token'
  /** A corporation's route, requested by a character that was refused there for lack of the role. */
  | 'role-refused'
  /** A refresh of a character while another one is in progress. */
  | 'double-refresh';

/** A request that ESI's rules forbid. */
export interface Offence {
  at: Date;
  kind: OffenceKind;
  method: string;
  path: string;
  detail: string;
}

/** A 4xx answer will not change within a minute. */
const RETRY_MS = 60_000;

const PERMANENT = new Set([400, 401, 403, 404, 422]);
const CONTACT = /@|http|discord|char/i;

/** The properties of an answer that the rules depend on. */
export interface Outcome {
  status: number;
  expires: number | undefined;
  /** Identifies the content: a new snapshot or list has a new version. */
  version: string;
  pages: number | undefined;
  /** A fault has changed the answer: repeating the request is no offence. */
  damaged: boolean;
  /** What a permanent refusal is about. */
  permanentRefusal?: 'role' | 'token' | undefined;
}

interface Answered {
  expires: number;
  version: string;
  order: number;
}

interface Block {
  until: number;
  since: number;
}

interface Memory {
  answered: Map<string, Answered>;
  failedAt: Map<string, number>;
  refused: Map<string, { until: number; version: string }>;
  pages: Map<string, { version: string; now: number; before: number }>;
  blocked: Map<string, Block>;
  /** The version of page 1 that each path showed last. */
  firstPages: Map<string, string>;
  knownRefusals: KnownRefusals;
}

type Add = (kind: OffenceKind, detail: string) => void;

export function emptyMemory(): Memory {
  return {
    answered: new Map(),
    failedAt: new Map(),
    refused: new Map(),
    pages: new Map(),
    blocked: new Map(),
    firstPages: new Map(),
    knownRefusals: createKnownRefusals(),
  };
}

/**
 * The snapshot that a call reads: its path and query without the page or the id to continue from. The history of each
 * type is a snapshot of its own.
 */
export function snapshotKey(call: Call): string {
  return call.path.replace(/([?&])(?:page|from_id)=[^&]*&?/, '$1').replace(/[?&]$/, '');
}

function checkHeaders(call: Call, add: Add): void {
  const agent = call.header('user-agent');
  if (!agent || !CONTACT.test(agent)) add('no-user-agent', agent ?? 'missing');
  if (!isEsi(call)) return;
  if (!call.header('x-compatibility-date') && !call.query.has('compatibility_date')) {
    add('no-compatibility-date', 'missing');
  }
  const encoding = call.header('accept-encoding') ?? 'missing';
  if (!encoding.includes('gzip')) add('no-gzip', encoding);
}

function checkEarly(memory: Memory, call: Call, version: string): string | undefined {
  const last = memory.answered.get(`${call.caller} ${call.path}`);
  if (!last || last.version !== version || call.at >= last.expires) return undefined;
  if ((memory.failedAt.get(snapshotKey(call)) ?? 0) > last.order) return undefined; // the read has to start again
  return `${Math.ceil((last.expires - call.at) / 1_000)} s before Expires`;
}

function rememberPages(memory: Memory, call: Call, outcome: Outcome): void {
  const known = memory.pages.get(snapshotKey(call));
  const now = outcome.pages ?? 1;
  if (known?.version === outcome.version) known.now = Math.max(known.now, now);
  else memory.pages.set(snapshotKey(call), { version: outcome.version, now, before: known?.now ?? 0 });
}

function isBeyond(memory: Memory, call: Call, outcome: Outcome): boolean {
  const page = Number(call.query.get('page') ?? 1);
  const known = memory.pages.get(snapshotKey(call));
  const announced = known
    ? Math.max(known.now, known.version === outcome.version ? known.before : known.now)
    : 1;
  return outcome.pages !== undefined && page > announced; // a region that has shrunk is not the caller's fault
}

/** Records requests to a route group, or to all of ESI, before the time that a 429 or 420 stated. */
function checkBlocked(memory: Memory, call: Call, add: Add): void {
  const isIgnored = (key: string): boolean => {
    const block = memory.blocked.get(key);
    return block !== undefined && call.at < block.until && call.arrived > block.since + GRACE_MS;
  };
  if (isIgnored(call.caller)) add('ignored-420', 'the minute has not ended');
  if (isIgnored(`${call.user} ${call.group ?? call.route}`))
    add('ignored-retry-after', call.group ?? call.route);
}

export function checkArrival(memory: Memory, call: Call, add: Add): void {
  checkHeaders(call, add);
  if (!isEsi(call)) return;
  checkBlocked(memory, call, add);
  if (call.bearer !== undefined) checkToken(memory, call, call.bearer, add);
  const tag = call.header('if-none-match');
  const known = memory.answered.has(`${call.caller} ${call.path}`);
  if (tag && !known && !ETAG_FORMAT.test(tag)) add('conditional-mismatch', tag);
}

/** Pages read before their own page 1 belong to a torn read: each may be requested once more. */
function rememberFirstPage(memory: Memory, call: Call, outcome: Outcome, order: number): void {
  if ((call.query.get('page') ?? '1') !== '1' || call.query.has('from_id')) return;
  if (memory.firstPages.get(snapshotKey(call)) === outcome.version) return;
  memory.firstPages.set(snapshotKey(call), outcome.version);
  memory.failedAt.set(snapshotKey(call), order);
}

/** A refusal with one token or one list of ids does not apply to another token or list. */
function refusedKey(call: Call): string {
  return [call.caller, call.path, call.body, call.bearer].join(' ');
}

/** A refusal holds for a minute unless the content has changed since. The answer of a fault has no version. */
function isRetried(memory: Memory, call: Call, outcome: Outcome): boolean {
  const refused = memory.refused.get(refusedKey(call));
  if (!refused || call.at >= refused.until) return false;
  return refused.version === '' || outcome.version === '' || refused.version === outcome.version;
}

export function checkToken({ knownRefusals }: Memory, call: Call, token: string, add: Add): void {
  if (knownRefusals.isKnownRefused(call, token)) add('refused-token', 'already refused for good');
}

export function checkAnswer(memory: Memory, call: Call, outcome: Outcome, add: Add): void {
  const early =
    call.method === 'GET' && outcome.status < 400 ? checkEarly(memory, call, outcome.version) : undefined;
  if (early) add('too-early', early);
  if (outcome.permanentRefusal === 'role' && memory.knownRefusals.recordRoleRefusal(call))
    add('role-refused', call.route);
  if (outcome.permanentRefusal === 'token' && call.bearer !== undefined)
    memory.knownRefusals.recordRefusedToken(call.bearer);
  if (isRetried(memory, call, outcome)) add('retried-4xx', 'same URL within a minute');
  if (outcome.status === 404 && isBeyond(memory, call, outcome)) add('page-beyond', call.path);
}

/** Remembers a proper answer, a refusal that is the caller's fault, or a failure. */
export function rememberAnswer(memory: Memory, call: Call, outcome: Outcome, order: number): void {
  const key = `${call.caller} ${call.path}`;
  if (outcome.status === 200 || outcome.status === 304) {
    rememberPages(memory, call, outcome);
    rememberFirstPage(memory, call, outcome, order);
    if (outcome.damaged) memory.failedAt.set(snapshotKey(call), order);
    else memory.answered.set(key, { expires: outcome.expires ?? 0, version: outcome.version, order });
  } else if (PERMANENT.has(outcome.status)) {
    memory.refused.set(refusedKey(call), { until: call.at + RETRY_MS, version: outcome.version });
  } else memory.failedAt.set(snapshotKey(call), order);
}
