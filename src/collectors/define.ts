import type { z } from 'zod';
import type { PathParam, Route } from '../esi/facts/routes.ts';
import type { OwnerKind, TARGET_KINDS, TargetKind } from './targets.ts';
import type { Change, Enrichment, ReferenceKind, Series } from './vocabulary.ts';

/** When a collector runs: at the interval or cron that a setting holds, or at a fixed interval. */
export type ScheduleSpec =
  | { readonly everySetting: 'MARKET_ORDERS_INTERVAL' }
  | { readonly cronSetting: CronSetting }
  | { readonly every: string };

export type CronSetting = 'UNIVERSE_UPDATE_CRON' | 'MARKET_HISTORY_CRON' | 'INDUSTRY_UPDATE_CRON';

/** Settings that enable collectors. */
export type EnableSetting =
  'COLLECT_UNIVERSE_DATA' | 'COLLECT_MARKET_ORDERS' | 'COLLECT_MARKET_HISTORY' | 'COLLECT_INDUSTRY_DATA';

interface Common {
  readonly name: string;
  /** One line for people: CLI, Temporal UI, page. */
  readonly description: string;
  readonly schedule: ScheduleSpec;
  /** The setting that switches the collector off; absent where none does. */
  readonly enabledBy?: EnableSetting;
}

/** What one ESI route returns, and the table that holds it. */
export interface Resource<R extends Route = Route, S extends z.ZodRawShape = z.ZodRawShape> {
  readonly route: R;
  readonly query?: Readonly<Record<string, string>>;
  /** The kind of target whose id fills the route's path parameter. Absent where the path has none. */
  readonly for?: TargetKind;
  /** One snapshot for each of a corporation's seven wallets: fills `{division}`. */
  readonly per?: 'division';
  /** ESI's field names by column, where the two differ. */
  readonly fields?: Readonly<Partial<Record<keyof S & string, string>>>;
  /** What the answer is, in words, where it is not a list. */
  readonly expected?: string;
  /** Converts an answer that is not a plain list of rows. Anything but a list is rejected as a bad shape. */
  readonly rows?: (json: unknown) => unknown;
  /** With `rows`: fields of the answer itself that are known, besides those of the row. */
  readonly outerFields?: readonly string[];
  readonly row: z.ZodObject<S>;
  readonly table: string;
  /** The table holds rows of characters and of corporations: the other owner's column is null. */
  readonly ownerScoped?: true;
  readonly key: readonly (keyof S & string)[];
  /** The column for the moment from which a version is valid: the snapshot's Last-Modified. */
  readonly versionedAt: string;
  readonly change: Change<keyof S & string>;
  readonly references?: Readonly<Partial<Record<keyof S & string, ReferenceKind>>>;
  /** Columns that other routes fill, requested by id for the rows that can have them. */
  readonly enrichments?: readonly Enrichment[];
  /** A series derived from the published rows, written in the same transaction. */
  readonly series?: Series;
}

/** A collector that reads one ESI route into one table. */
export type RouteCollector<R extends Route = Route, S extends z.ZodRawShape = z.ZodRawShape> = Common &
  Resource<R, S>;

/** One of the routes that a collector reads for an owner. */
export type OwnerResource<R extends Route = Route, S extends z.ZodRawShape = z.ZodRawShape> = Resource<
  R,
  S
> & {
  /** Distinguishes the resources of an owner, e.g. `journal`; empty where the collector reads one. */
  readonly name: string;
  readonly for: OwnerKind;
};

/** A collector of what characters and corporations have. It runs where it is assigned. */
export interface OwnerCollector extends Common {
  readonly resources: readonly AnyOwnerResource[];
  readonly schedule: { readonly every: string };
}

/** A collector whose source is not one snapshot of one route: the engine runs the named procedure. */
export interface ProcedureCollector extends Common {
  readonly procedure: 'universe' | 'market-history' | 'structures';
  readonly for?: TargetKind;
}

// oxlint-disable-next-line typescript/no-explicit-any -- lists hold resources with different rows
export type AnyResource = Resource<any, any>;
// oxlint-disable-next-line typescript/no-explicit-any -- as above
export type AnyOwnerResource = OwnerResource<any, any>;
// oxlint-disable-next-line typescript/no-explicit-any -- as above
export type AnyRouteCollector = RouteCollector<any, any>;
export type AnyCollector = AnyRouteCollector | OwnerCollector | ProcedureCollector;

/** The path parameter that the target fills; `{division}` is filled by `per`. */
type TargetParam<R extends Route> = Exclude<PathParam<R>, 'division'>;

type ForRoute<R extends Route> = ([TargetParam<R>] extends [never]
  ? { readonly for?: never }
  : {
      readonly for: {
        [K in TargetKind]: TargetParam<R> extends (typeof TARGET_KINDS)[K] ? K : never;
      }[TargetKind];
    }) &
  ('division' extends PathParam<R> ? { readonly per: 'division' } : { readonly per?: never });

/** Declares a collector of one route. The compiler checks that route, target, key and references fit each other. */
export function defineCollector<R extends Route, S extends z.ZodRawShape>(
  collector: RouteCollector<R, S> & ForRoute<R>,
): RouteCollector<R, S> {
  return collector;
}

/** Declares one route of an owner's collector, with the same checks. */
export function defineResource<R extends Route, S extends z.ZodRawShape>(
  resource: OwnerResource<R, S> & ForRoute<R>,
): OwnerResource<R, S> {
  return resource;
}
