import type { Clock } from '../src/lib/clock.ts';
import type { LimitUsage } from './limit-usage.ts';
import type { Faults } from './faults.ts';
import type { Offence } from './offence-rules.ts';
import type { OwnerOptions } from './owners/owner-options.ts';
import type { Owners } from './owners/owners.ts';
import type { RequestRecord } from './request-log.ts';
import type { SsoOptions } from './sso/sso-options.ts';
import type { Sso } from './sso/sso-control.ts';
import type { World } from './world.ts';

export interface SimulatorOptions {
  /** Default: any free one. */
  port?: number;
  /** The same seed and the same sequence of turns give the same rows (on one day of the clock). */
  seed?: number;
  /** Drives Last-Modified, Expires, snapshots and limit windows. Default: the system's. */
  clock?: Clock;
  /** Added to each answer, in real time. Default 0. */
  latencyMs?: number;
  /** Number of orders by region id. */
  regions?: Record<number, number>;
  /** How long a region's orders are cached. Default 300. */
  cacheSeconds?: number;
  /** The share of a region's rows that changes at each turn. Default 0.0013. */
  churn?: number;
  universe?: 'small' | 'full';
  /** Default true: 429 and 420 as ESI has them. */
  enforceLimits?: boolean;
  /** Requests of one address for the market's history in any 60 s, which no header announces. Default 300. */
  hiddenLimit?: number;
  /** Characters, corporations and structures. Default: two characters of one corporation, and three structures. */
  owners?: OwnerOptions;
  sso?: SsoOptions;
}

export interface Simulator {
  /** The base of ESI. */
  url: string;
  /** The base of the static data. */
  sdeUrl: string;
  /** The base of the SSO, and its tokens' issuer. */
  ssoUrl: string;
  world: World;
  owners: Owners;
  sso: Sso;
  faults: Faults;
  offences(): Offence[];
  /** The last 200,000. */
  requests(): RequestRecord[];
  /** What was used of each limit, and the most that any window held. */
  limitUsage(): LimitUsage[];
  /** Forgets offences, requests and what the budget's report counts, but not what callers have been told. */
  resetCounters(): void;
  close(): Promise<void>;
}
