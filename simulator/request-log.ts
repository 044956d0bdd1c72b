/** A request that came in. */
export interface RequestRecord {
  at: Date;
  method: string;
  /** With the query. */
  path: string;
  /** The route's template, `sde` or `unknown`. */
  route: string;
  /** 0 while there is no answer, and for ever when there was none. */
  status: number;
  ifNoneMatch?: string;
}

const KEPT = 200_000; // some 40 MB
const SLACK = 20_000; // how many may come before the oldest are thrown away: one move for many requests

/** The last requests. */
export interface RequestLog {
  list(): RequestRecord[];
  add(record: RequestRecord): void;
  clear(): void;
}

/** Makes an empty list. */
export function createRequestLog(): RequestLog {
  let records: RequestRecord[] = [];
  return {
    list: () => records.slice(-KEPT),
    add: (record) => {
      records.push(record);
      if (records.length > KEPT + SLACK) records = records.slice(-KEPT);
    },
    clear: () => {
      records = [];
    },
  };
}
