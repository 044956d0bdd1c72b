-- The collector's own state.

-- How old is the data?
SELECT collector, target, last_modified, now() - read_at AS age
  FROM published_sets
 ORDER BY age DESC;

-- Runs of the last day by outcome
SELECT collector, outcome, count(*), sum(requests) AS requests
  FROM collection_runs
 WHERE started_at > now() - interval '1 day'
 GROUP BY 1, 2 ORDER BY 1, 2;

-- The last failures with their reasons
SELECT started_at, collector, target, resource, error
  FROM collection_runs
 WHERE outcome = 'failed'
 ORDER BY started_at DESC LIMIT 20;

-- Rows that failed validation, by reason
SELECT collector, reason, count(*), max(seen_at) AS last
  FROM rejected_rows
 GROUP BY 1, 2 ORDER BY 3 DESC;

-- Disk usage by table
SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) AS size
  FROM pg_class
 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
 ORDER BY pg_total_relation_size(oid) DESC LIMIT 20;
