import { between, createRandom, mixSeed, pick, type Random, weighted } from '../simulator/random.ts';
import { REQUEST_FAULTS, type RequestFault } from './server.ts';
import { DOUBTFUL, type RowFault } from './source.ts';

/** What is collected. */
export const COLLECTORS = ['market-orders', 'assets', 'wallet', 'orders'] as const;
export type SimulatedCollector = (typeof COLLECTORS)[number];

/** One thing that goes wrong in a round. Each can be left out alone, which is how a history is shortened. */
export type Mishap =
  /** A process dies at the so many-th turn, before or after the statement or request of that turn took effect. */
  | { readonly kind: 'kill'; readonly turn: number; readonly when: 'before' | 'after' }
  /** A step is executed by two processes at once, as when its worker was believed dead. */
  | { readonly kind: 'twin'; readonly step: number }
  /** The workflow is terminated at a step, which goes on for a while; or cancelled, so that it ends in order. */
  | { readonly kind: 'terminate' | 'cancel'; readonly step: number }
  /** The database server crashes at the so many-th turn: all processes die, and unlogged tables are empty. */
  | { readonly kind: 'crash'; readonly turn: number }
  | { readonly kind: 'request'; readonly number: number; readonly fault: RequestFault }
  | { readonly kind: 'rows'; readonly source: number; readonly fault: RowFault }
  /** One list fails, and the others do not. */
  | { readonly kind: 'route'; readonly source: number }
  /** Every request fails for so many seconds. */
  | { readonly kind: 'outage'; readonly seconds: number }
  /** ESI's clock is wrong by so many minutes. */
  | { readonly kind: 'clock'; readonly minutes: number }
  /** Most rows end, in truth. */
  | { readonly kind: 'turmoil' };

/** Whether a mishap is none of the reading: what is wrong costs one row. */
export const isHarmless = (mishap: Mishap): boolean => mishap.kind === 'rows' && !DOUBTFUL.has(mishap.fault);

/** A collector runs once. */
export interface Round {
  readonly collector: SimulatedCollector;
  /** Seconds from the moment it is due; negative: before it is due. */
  readonly delay: number;
  readonly mishaps: readonly Mishap[];
}

/** A whole history. The same plan and seed give the same history. */
export interface Plan {
  readonly seed: number;
  /** Tokens that ESI grants the market in 15 minutes; undefined: as many as in reality. */
  readonly marketTokens: number | undefined;
  readonly rounds: readonly Round[];
}

/** Rounds of a history: a doubt takes two readings, and what follows shows whether it was settled. */
const ROUNDS = [6, 10] as const;

/** Draws the plan of a seed. */
export function drawPlan(seed: number): Plan {
  const random = createRandom(mixSeed(seed, 77));
  const focus = random() < 0.5 ? pick(random, COLLECTORS) : undefined;
  const isCalm = random() < 0.1;
  return {
    seed,
    marketTokens: random() < 0.15 ? between(random, 60, 120) : undefined,
    rounds: Array.from({ length: between(random, ...ROUNDS) }, () => ({
      collector: focus !== undefined && random() < 0.8 ? focus : pick(random, COLLECTORS),
      delay: weighted(random, [
        [0, 3],
        [between(random, 1, 60), 4],
        [between(random, 60, 8_000), 2],
        [-between(random, 1, 100), 1],
      ]),
      mishaps: isCalm || random() < 0.3 ? [] : drawMishaps(random),
    })),
  };
}

function drawMishaps(random: Random): Mishap[] {
  return Array.from({ length: between(random, 1, 3) }, () => drawMishap(random));
}

function drawMishap(random: Random): Mishap {
  const turn = between(random, 1, 70);
  const step = between(random, 1, 4);
  return weighted<() => Mishap>(random, [
    [() => ({ kind: 'kill', turn, when: pick(random, ['before', 'after']) }), 20],
    [() => ({ kind: 'twin', step }), 14],
    [() => ({ kind: 'terminate', step }), 5],
    [() => ({ kind: 'cancel', step }), 4],
    [() => ({ kind: 'crash', turn }), 4],
    [() => ({ kind: 'request', number: between(random, 0, 9), fault: pick(random, REQUEST_FAULTS) }), 28],
    [() => ({ kind: 'rows', source: between(random, 0, 2), fault: pick(random, ROW_FAULTS) }), 20],
    [() => ({ kind: 'route', source: between(random, 0, 2) }), 5],
    [() => ({ kind: 'outage', seconds: between(random, 5, 900) }), 4],
    [() => ({ kind: 'clock', minutes: pick(random, [-60, -10, 1, 10, 60]) }), 5],
    [() => ({ kind: 'turmoil' }), 5],
  ])();
}

const ROW_FAULTS: readonly RowFault[] = [
  'odd',
  'bad',
  'keyless',
  'repeated',
  'conflict',
  'short',
  'collapse',
  'half',
];
