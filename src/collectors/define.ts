import type { z } from 'zod';
import type { PathParam, Route } from '../spec/routes.ts';
import type { TARGET_KINDS, TargetKind } from '../spec/targets.ts';
import type { Change, Lookup, Series } from '../spec/vocabulary.ts';

/** When a collector runs: by the setting that holds its interval or cron, or by a fixed interval. */
export type Rhythm =
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
  readonly rhythm: Rhythm;
  readonly switch?: Switch;
}

/** A collector that reads one ESI route into one table. */
export interface RouteCollector<
  R extends Route = Route,
  S extends z.ZodRawShape = z.ZodRawShape,
> extends Common {
  readonly route: R;
  readonly query?: Readonly<Record<string, string>>;
  /** For whom: fills the route's path parameter. Absent where the path has none. */
  readonly for?: TargetKind;
  /** Hook: the rows of an answer that is no plain list of them. */
  readonly rows?: (json: unknown) => unknown;
  readonly row: z.ZodObject<S>;
  readonly table: string;
  readonly key: readonly (keyof S & string)[];
  /** The column that holds when a version was first seen: the set's Last-Modified. */
  readonly seenAt: string;
  readonly change: Change<keyof S & string>;
  readonly lookups?: Readonly<Partial<Record<keyof S & string, Lookup>>>;
  /** A series derived from the published rows, written in the same transaction when it changed. */
  readonly series?: Series;
}

/** The last door: a collector whose source is not one set of one route. The engine runs the named procedure. */
export interface ProcedureCollector extends Common {
  readonly procedure: 'universe' | 'market-history';
  readonly for?: TargetKind;
}

// oxlint-disable-next-line typescript/no-explicit-any -- the list holds collectors of unlike rows
export type AnyRouteCollector = RouteCollector<any, any>;
export type AnyCollector = AnyRouteCollector | ProcedureCollector;

type ForRoute<R extends Route> = [PathParam<R>] extends [never]
  ? { readonly for?: never }
  : {
      readonly for: {
        [K in TargetKind]: PathParam<R> extends (typeof TARGET_KINDS)[K] ? K : never;
      }[TargetKind];
    };

/** Checks a declaration at compile time: route, target, key and lookups must fit each other. */
export function defineCollector<R extends Route, S extends z.ZodRawShape>(
  collector: RouteCollector<R, S> & ForRoute<R>,
): RouteCollector<R, S> {
  return collector;
}
