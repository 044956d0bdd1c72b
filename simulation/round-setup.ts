import type { Mishap, Plan, Round, SimulatedCollector } from './plan.ts';
import type { Server } from './server.ts';
import { DOUBTFUL } from './source.ts';
import type { World } from './world.ts';

/** Prepares what goes wrong in a round. */
export class RoundSetup {
  private readonly plan: Plan;
  private readonly world: World;
  private readonly server: Server;
  private readonly now: () => number;
  /** The last round of each collector that gave reason for a doubt. */
  private readonly doubted = new Map<SimulatedCollector, number>();

  constructor(plan: Plan, world: World, server: Server, now: () => number) {
    this.plan = plan;
    this.world = world;
    this.server = server;
    this.now = now;
  }

  /** Sets the round's mishaps up. Those that would be believed rightly, because two readings say alike, are left out. */
  prepare(round: Round, index: number): void {
    const { server, world, now } = this;
    server.requests = 0;
    server.missing = 0;
    server.faults.clear();
    for (const mishap of round.mishaps) {
      if (mishap.kind === 'outage') server.outageUntil = now() + mishap.seconds * 1_000;
      if (mishap.kind === 'clock') server.clockError = mishap.minutes * 60_000;
      if (mishap.kind === 'route') {
        const subjects = world.subjects[round.collector];
        server.brokenPath = subjects[mishap.source % subjects.length]!.source.options.path;
      }
      if (mishap.kind === 'request') this.prepareRequest(mishap, round.collector, index);
      if (mishap.kind === 'rows') this.prepareRows(mishap, round.collector, index);
      if (mishap.kind === 'turmoil' && this.mayDoubt(round.collector, index)) world.turmoil.isDue = true;
    }
  }

  private prepareRequest(
    { number, fault }: Mishap & { kind: 'request' },
    collector: SimulatedCollector,
    index: number,
  ): void {
    const subjects = this.world.subjects[collector];
    const pages = Math.min(...subjects.map(({ source }) => source.versions.at(-1)!.pages.length));
    // Of two pages each is half of all that is said of their number.
    if (fault === 'fewer-pages' && pages < 4) return;
    // An empty list is a loss of all rows, of which nothing can be doubted where none was seen.
    if (fault === 'no-content' && !(collector === 'market-orders' || collector === 'assets')) return;
    if (fault === 'no-content' && !this.mayDoubt(collector, index)) return;
    this.server.faults.set(number, fault);
  }

  private prepareRows(
    { source, fault }: Mishap & { kind: 'rows' },
    collector: SimulatedCollector,
    index: number,
  ): void {
    const subjects = this.world.subjects[collector];
    const subject = subjects[source % subjects.length]!;
    const { options, versions } = subject.source;
    if (!options.faults.includes(fault)) return;
    // A first snapshot is compared with none, and a page can only be shorter than another one.
    if (fault === 'short' && versions.at(-1)!.pages.length < 4) return;
    if (DOUBTFUL.has(fault) && !this.mayDoubt(collector, index)) return;
    subject.source.nextFault = fault;
  }

  /** Whether the round before last gave no reason for a doubt, which this one would confirm. */
  private mayDoubt(collector: SimulatedCollector, index: number): boolean {
    const subject = this.world.subjects[collector][0]!;
    if (!subject.isPublished || subject.source.versions.length < 2) return false;
    const last = this.doubted.get(collector);
    const isFree =
      last === undefined ||
      this.plan.rounds.slice(last + 1, index).filter((one) => one.collector === collector).length >= 2;
    if (isFree) this.doubted.set(collector, index);
    return isFree;
  }
}
