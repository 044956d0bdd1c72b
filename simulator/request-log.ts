/** A request that was received. */
export interface RequestRecord {
  at: Date;
  method: string;
  /** Path and query. */
  path: string;
  /** The route's template, `sde` or `unknown`. */
  route: string;
  /** 0 until the answer is complete, and for good when there was none. */
  status: number;
  ifNoneMatch?: string;
}

/** Some 40 MB. */
const MAX_RECORDS = 200_000;

/** Records that may be added before the oldest are removed: they are removed in one move. */
const MAX_EXCESS_RECORDS = 20_000;

/** The newest requests. */
export interface RequestLog {
  list(): RequestRecord[];
  add(record: RequestRecord): void;
  clear(): void;
}

export function createRequestLog(): RequestLog {
  let records: RequestRecord[] = [];
  return {
    list: () => records.slice(-MAX_RECORDS),
    add: (record) => {
      records.push(record);
      if (records.length > MAX_RECORDS + MAX_EXCESS_RECORDS) records = records.slice(-MAX_RECORDS);
    },
    clear: () => {
      records = [];
    },
  };
}
