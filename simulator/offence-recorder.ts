import { isEsi, type Call } from './esi-call.ts';
import {
  checkAnswer,
  checkArrival,
  checkToken,
  emptyMemory,
  rememberAnswer,
  snapshotKey,
  type Offence,
  type OffenceKind,
  type Outcome,
} from './offence-rules.ts';

/** Offences that are kept: enough to see what went wrong. */
const MAX_OFFENCES = 10_000;

/** More requests at the same time than this are an offence. ESI has no such limit. */
const MAX_IN_FLIGHT = 20;

/** Records what callers do against ESI's rules. */
export interface OffenceRecorder {
  list: Offence[];
  /** Checks a request before it is answered. */
  recordRequest(call: Call): void;
  /** Checks an answer of ESI and remembers it. */
  recordAnswer(call: Call, outcome: Outcome): void;
  /** Remembers an answer with 429 or 420. */
  recordRefusal(call: Call, status: 420 | 429, seconds: number, now: number): void;
  /** Records a request over the limit that no header announces. */
  recordHiddenLimit(call: Call, detail: string): void;
  /** Records an offence that another part of the simulator has found. */
  recordOffence(call: Call, kind: OffenceKind, detail: string): void;
  /** Checks the use of an access token or a refresh token. */
  recordTokenUse(call: Call, token: string): void;
  /** Remembers that the caller has learned that a token is refused for good. */
  recordRefusedToken(token: string): void;
  /** Remembers that the answer did not arrive, or was not a proper one: repeating the request is no offence. */
  recordFailure(call: Call): void;
  /** Records the end of a request. */
  recordEnd(): void;
}

export function createOffenceRecorder(): OffenceRecorder {
  const list: Offence[] = [];
  const memory = emptyMemory();
  let inFlight = 0;
  let order = 0;
  const adder = (call: Call) => (kind: OffenceKind, detail: string) => {
    if (list.length >= MAX_OFFENCES) return;
    list.push({ at: new Date(call.at), kind, method: call.method, path: call.path, detail });
  };
  const recordFailure = (call: Call) => void memory.failedAt.set(snapshotKey(call), ++order);
  return {
    list,
    recordRequest: (call) => {
      const add = adder(call);
      if (isEsi(call) && ++inFlight > MAX_IN_FLIGHT) add('too-many-in-flight', String(inFlight));
      checkArrival(memory, call, add);
    },
    recordAnswer: (call, outcome) => {
      if (!isEsi(call)) return;
      checkAnswer(memory, call, outcome, adder(call));
      rememberAnswer(memory, call, outcome, ++order);
    },
    recordRefusal: (call, status, seconds, now) => {
      const key = status === 420 ? call.caller : `${call.user} ${call.group ?? call.route}`;
      recordFailure(call);
      const known = memory.blocked.get(key);
      if (known && known.until > now) return; // The first refusal counts.
      memory.blocked.set(key, { until: now + seconds * 1_000, since: performance.now() });
    },
    recordHiddenLimit: (call, detail) => {
      adder(call)('hidden-limit', detail);
      recordFailure(call);
    },
    recordOffence: (call, kind, detail) => adder(call)(kind, detail),
    recordTokenUse: (call, token) => checkToken(memory, call, token, adder(call)),
    recordRefusedToken: (token) => memory.knownRefusals.recordRefusedToken(token),
    recordFailure,
    recordEnd: () => {
      inFlight--;
    },
  };
}
