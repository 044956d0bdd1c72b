-- Columns and staging tables take the names that the code uses for them: a route that a collector reads for a target is
-- a resource, what other routes say of staged rows is an enrichment, and a snapshot that awaits confirmation is suspect.
ALTER TABLE "collection_runs" RENAME COLUMN "part" TO "resource";
ALTER INDEX "collection_runs_collector_target_part_started_at_idx" RENAME TO "collection_runs_collector_target_resource_started_at_idx";
ALTER INDEX "collection_runs_workflow_run_id_part_key" RENAME TO "collection_runs_workflow_run_id_resource_key";

ALTER TABLE "published_sets" RENAME COLUMN "part" TO "resource";
ALTER TABLE "published_sets" RENAME COLUMN "doubt_last_modified" TO "suspect_last_modified";
ALTER TABLE "published_sets" RENAME COLUMN "doubt_rows" TO "suspect_rows";

-- By hand: unlogged staging tables, whose rows a run under way requests again.
DROP TABLE "stage"."details";
DROP TABLE "stage"."detail_readings";

-- By hand: what other routes said of staged rows, one row per item and kind of enrichment.
CREATE UNLOGGED TABLE "stage"."enrichments" (
    "run_id" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "id" BIGINT NOT NULL,
    "name" TEXT,
    "position_x" DOUBLE PRECISION,
    "position_y" DOUBLE PRECISION,
    "position_z" DOUBLE PRECISION,
    PRIMARY KEY ("run_id", "kind", "id")
);

-- By hand: the newest attempt to enrich a run's staged pages, and whether everything has been requested for it.
CREATE UNLOGGED TABLE "stage"."enrichment_attempts" (
    "run_id" BIGINT PRIMARY KEY,
    "attempt" UUID NOT NULL DEFAULT gen_random_uuid(),
    "is_complete" BOOLEAN NOT NULL DEFAULT false
);

-- Buckets of the rate limiter, and the keys of their state, take the names that people and the code use for them.
UPDATE "esi_buckets" SET "state" = jsonb_strip_nulls(jsonb_build_object(
    'slots', "state" -> 'slots',
    'leases', "state" -> 'leases',
    'blocked', CASE WHEN "state" ? 'held'
        THEN jsonb_build_object('until', "state" #> '{held,until}', 'reason', "state" #> '{held,why}') END,
    'externalUsage', "state" -> 'foreign',
    'externalUsageAt', "state" -> 'foreignAt',
    'stricterLimit', "state" -> 'strict',
    'limit', "state" -> 'limit',
    'burst', CASE WHEN "state" ? 'drip'
        THEN jsonb_build_object('tokens', "state" #> '{drip,content}', 'at', "state" #> '{drip,at}') END
));
UPDATE "esi_buckets" SET "bucket" = CASE "bucket"
        WHEN 'errors' THEN 'error limit'
        WHEN 'ceiling' THEN 'ESI_RATE_LIMIT'
        WHEN 'ceiling for backfills' THEN 'ESI_RATE_LIMIT (backfill share)'
        ELSE replace("bucket", 'hidden /', 'hidden limit /')
    END
    WHERE "bucket" IN ('errors', 'ceiling', 'ceiling for backfills') OR "bucket" LIKE 'hidden /%';
