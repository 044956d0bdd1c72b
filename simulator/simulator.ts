import type { Clock } from '../src/lib/clock.ts';
import type { LimitUsage } from './limit-usage.ts';
import type { Faults } from './faults.ts';
import type { Offence } from './offence-rules.ts';
import type { OwnerMemory } from './owners/owner-memory.ts';
import type { OwnerOptions } from './owners/owner-options.ts';
import type { Owners } from './owners/owners.ts';
import type { RequestRecord } from './request-log.ts';
import type { Grant } from './sso/grants.ts';
import type { SsoOptions } from './sso/sso-options.ts';
import type { Sso } from './sso/sso-control.ts';
import type { World } from './world.ts';

/** What a simulator remembers over a restart, as JSON can hold it: its owners and their logins. Markets begin anew. */
export interface SimulatorMemory {
  readonly owners: OwnerMemory;
  readonly grants: readonly Grant[];
}

export interface SimulatorOptions {
  /** Default: any free port. */
  port?: number;
  /** The same seed and the same sequence of snapshots give the same rows, on one day of the clock. */
  seed?: number;
  /** Drives Last-Modified, Expires, snapshots and limit windows. Default: the system clock. */
  clock?: Clock;
  /** Added to each answer, in real time. Default: 0. */
  latencyMs?: number;
  /** Number of orders by region id. */
  regions?: Record<number, number>;
  /** The cache time of a region's orders. Default: 300. */
  cacheSeconds?: number;
  /** The share of a region's rows that changes in each snapshot. Default: 0.0013. */
  churn?: number;
  universe?: 'small' | 'full';
  /** Whether requests are refused with 429 and 420, as by ESI. Default: true. */
  enforceLimits?: boolean;
  /** Requests of one address for the market history in any 60 s; no header announces the limit. Default: 300. */
  hiddenLimit?: number;
  /** Characters, corporations and structures. Default: two characters of one corporation, and three structures. */
  owners?: OwnerOptions;
  sso?: SsoOptions;
  /** What an earlier simulator with the same options remembered. */
  memory?: SimulatorMemory | undefined;
}

export interface Simulator {
  /** The base address of ESI. */
  url: string;
  /** The base address of the static data. */
  sdeUrl: string;
  /** The base address of the SSO, and the issuer of its tokens. */
  ssoUrl: string;
  world: World;
  owners: Owners;
  sso: Sso;
  faults: Faults;
  offences(): Offence[];
  /** The last 200,000. */
  requests(): RequestRecord[];
  /** What was used of each limit, and the most in any window. */
  limitUsage(): LimitUsage[];
  /** Clears offences, requests and limit usage, but not what callers know of refusals. */
  resetCounters(): void;
  /** What a later simulator needs to go on with the same owners and logins. */
  remember(): SimulatorMemory;
  close(): Promise<void>;
}
