import { isEsi, type Call } from './call.ts';
import {
  book,
  checkAnswer,
  checkArrival,
  emptyMemory,
  type Offence,
  type OffenceKind,
  type Outcome,
  setOf,
  useToken,
} from './offences.ts';

const KEPT = 10_000; // enough to see what went wrong
const IN_FLIGHT = 20; // the politeness cap

/** Watches callers and writes down what they do wrong. */
export interface Judge {
  list: Offence[];
  /** Before the answer: what the request itself tells. */
  arrive(call: Call): void;
  answer(call: Call, outcome: Outcome): void;
  /** A 429 or 420 was sent. */
  refuse(call: Call, status: 420 | 429, seconds: number, now: number): void;
  /** The limit that no header announces was passed. */
  overHidden(call: Call, detail: string): void;
  /** Something that the judge cannot see for itself. */
  note(call: Call, kind: OffenceKind, detail: string): void;
  /** A token is used. */
  useToken(call: Call, token: string): void;
  /** The caller has been told that a token is dead. */
  tellDead(token: string): void;
  /** The answer did not arrive, or was no proper one. */
  fail(call: Call): void;
  leave(): void;
}

/** Makes a judge who has seen nothing yet. */
export function createJudge(): Judge {
  const list: Offence[] = [];
  const memory = emptyMemory();
  let inFlight = 0;
  let order = 0;
  const adder = (call: Call) => (kind: OffenceKind, detail: string) => {
    if (list.length >= KEPT) return;
    list.push({ at: new Date(call.at), kind, method: call.method, path: call.path, detail });
  };
  return {
    list,
    arrive: (call) => {
      const add = adder(call);
      if (isEsi(call) && ++inFlight > IN_FLIGHT) add('too-many-in-flight', String(inFlight));
      checkArrival(memory, call, add);
    },
    answer: (call, outcome) => {
      if (!isEsi(call)) return;
      checkAnswer(memory, call, outcome, adder(call));
      book(memory, call, outcome, ++order);
    },
    refuse: (call, status, seconds, now) => {
      const key = status === 420 ? call.caller : `${call.user} ${call.group ?? call.route}`;
      memory.failedAt.set(setOf(call), ++order);
      const known = memory.blocked.get(key);
      if (known && known.until > now) return; // the first refusal counts
      memory.blocked.set(key, { until: now + seconds * 1_000, since: performance.now() });
    },
    overHidden: (call, detail) => {
      adder(call)('hidden-limit', detail);
      memory.failedAt.set(setOf(call), ++order);
    },
    note: (call, kind, detail) => adder(call)(kind, detail),
    useToken: (call, token) => useToken(memory, call, token, adder(call)),
    tellDead: (token) => memory.told.dead(token),
    fail: (call) => {
      memory.failedAt.set(setOf(call), ++order);
    },
    leave: () => {
      inFlight--;
    },
  };
}
