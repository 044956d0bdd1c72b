import type { z } from 'zod';
import type { PathParam, Route } from '../esi/facts/routes.ts';
import type { OwnerKind, TARGET_KINDS, TargetKind } from './targets.ts';
import type { Change, Enrichment, ReferenceKind, Series } from './vocabulary.ts';

/** When a collector runs: by the setting that holds its interval or cron, or by a fixed interval. */
export type ScheduleSpec =
  | { readonly everySetting: 'MARKET_ORDERS_INTERVAL' }
  | { readonly cronSetting: CronSetting }
  | { readonly every: string };

export type CronSetting = 'UNIVERSE_UPDATE_CRON' | 'MARKET_HISTORY_CRON' | 'INDUSTRY_UPDATE_CRON';

export type Switch =
  'COLLECT_UNIVERSE_DATA' | 'COLLECT_MARKET_ORDERS' | 'COLLECT_MARKET_HISTORY' | 'COLLECT_INDUSTRY_DATA';

interface Common {
  readonly name: string;
  /** One line for people: CLI, Temporal UI, page. */
  readonly about: string;
  readonly rhythm: ScheduleSpec;
  readonly switch?: Switch;
}

/** What one ESI route gives, and the table that holds it. */
export interface Resource<R extends Route = Route, S extends z.ZodRawShape = z.ZodRawShape> {
  readonly route: R;
  readonly query?: Readonly<Record<string, string>>;
  /** For whom: fills the route's path parameter. Absent where the path has none. */
  readonly for?: TargetKind;
  /** A set of its own for each of the seven wallets of a corporation: fills `{division}`. */
  readonly per?: 'division';
  /** Fields that the table calls otherwise: ESI's name by column. */
  readonly rename?: Readonly<Partial<Record<keyof S & string, string>>>;
  /** What the answer is, in words, where it is no list. */
  readonly answers?: string;
  /** Hook: the rows of an answer that is no plain list of them. Anything but a list is complained about. */
  readonly rows?: (json: unknown) => unknown;
  readonly row: z.ZodObject<S>;
  readonly table: string;
  /** The table holds rows of characters and of corporations: the column of the other kind is null. */
  readonly shared?: true;
  readonly key: readonly (keyof S & string)[];
  /** The column that holds when a version was first seen: the set's Last-Modified. */
  readonly seenAt: string;
  readonly change: Change<keyof S & string>;
  readonly lookups?: Readonly<Partial<Record<keyof S & string, ReferenceKind>>>;
  /** Columns that other routes fill, asked by id for the rows that can have them. */
  readonly details?: readonly Enrichment[];
  /** A series derived from the published rows, written in the same transaction when it changed. */
  readonly series?: Series;
}

/** A collector that reads one ESI route into one table. */
export type RouteCollector<R extends Route = Route, S extends z.ZodRawShape = z.ZodRawShape> = Common &
  Resource<R, S>;

/** One of the routes that a collector reads for an owner. */
export type OwnerResource<R extends Route = Route, S extends z.ZodRawShape = z.ZodRawShape> = Resource<R, S> & {
  /** What it is called beside the others: `journal`. Empty where the owner has no other. */
  readonly part: string;
  readonly for: OwnerKind;
};

/** A collector of what characters and corporations have: runs where it is assigned. */
export interface OwnerCollector extends Common {
  readonly parts: readonly AnyOwnerResource[];
  readonly rhythm: { readonly every: string };
}

/** The last door: a collector whose source is not one set of one route. The engine runs the named procedure. */
export interface ProcedureCollector extends Common {
  readonly procedure: 'universe' | 'market-history' | 'structures';
  readonly for?: TargetKind;
}

// oxlint-disable-next-line typescript/no-explicit-any -- the lists hold sets of unlike rows
export type AnyResource = Resource<any, any>;
// oxlint-disable-next-line typescript/no-explicit-any -- as above
export type AnyOwnerResource = OwnerResource<any, any>;
// oxlint-disable-next-line typescript/no-explicit-any -- as above
export type AnyRouteCollector = RouteCollector<any, any>;
export type AnyCollector = AnyRouteCollector | OwnerCollector | ProcedureCollector;

/** The path parameter that a target fills: the division is another matter. */
type TargetParam<R extends Route> = Exclude<PathParam<R>, 'division'>;

type ForRoute<R extends Route> = ([TargetParam<R>] extends [never]
  ? { readonly for?: never }
  : {
      readonly for: {
        [K in TargetKind]: TargetParam<R> extends (typeof TARGET_KINDS)[K] ? K : never;
      }[TargetKind];
    }) &
  ('division' extends PathParam<R> ? { readonly per: 'division' } : { readonly per?: never });

/** Checks a declaration at compile time: route, target, key and lookups must fit each other. */
export function defineCollector<R extends Route, S extends z.ZodRawShape>(
  collector: RouteCollector<R, S> & ForRoute<R>,
): RouteCollector<R, S> {
  return collector;
}

/** The same for a part of an owner's collector. */
export function defineResource<R extends Route, S extends z.ZodRawShape>(
  part: OwnerResource<R, S> & ForRoute<R>,
): OwnerResource<R, S> {
  return part;
}
