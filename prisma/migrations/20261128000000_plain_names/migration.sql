-- Columns and staging tables take the names that the code uses for them: a route that a collector reads for a target is
-- a resource, what other routes say of staged rows is an enrichment, and a snapshot that awaits confirmation is suspect.
ALTER TABLE "collection_runs" RENAME COLUMN "part" TO "resource";
ALTER INDEX "collection_runs_collector_target_part_started_at_idx" RENAME TO "collection_runs_collector_target_resource_started_at_idx";
ALTER INDEX "collection_runs_workflow_run_id_part_key" RENAME TO "collection_runs_workflow_run_id_resource_key";

ALTER TABLE "published_sets" RENAME COLUMN "part" TO "resource";
ALTER TABLE "published_sets" RENAME COLUMN "doubt_last_modified" TO "suspect_last_modified";
ALTER TABLE "published_sets" RENAME COLUMN "doubt_rows" TO "suspect_rows";

-- Runs under way are of the previous version, which has other steps. Their workflows are terminated by the start of this one.
UPDATE "collection_runs" SET "finished_at" = now(), "outcome" = 'failed', "error" = 'The collector was upgraded.'
 WHERE "finished_at" IS NULL;

-- By hand: unlogged staging tables, whose rows the next run requests again.
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

-- Buckets of the rate limiter, and the keys of their state, take the names that people and the code use for them. What a
-- worker of the new version may have written before this migration is dropped: it is a quarter of an hour of usage.
DELETE FROM "esi_buckets"
 WHERE "state" ? 'externalUsage' OR "bucket" IN ('error limit', 'ESI_RATE_LIMIT', 'ESI_RATE_LIMIT (backfill share)')
    OR "bucket" LIKE 'hidden limit /%';
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

-- The reasons of logins that are disabled for how they are stored: such a login is recognised by its reason, and enabled
-- again when it can be decrypted.
CREATE TEMP TABLE reworded (old_text TEXT, new_text TEXT) ON COMMIT DROP;
INSERT INTO reworded VALUES
    ('There is no token in the row. Log the character in again.',
     'The token is missing in the database row. Log the character in again.'),
    ('What is stored as token of this character is no token of EVE. Log the character in again.',
     'The stored token of this character is not a token of EVE. Log the character in again.'),
    ('What is stored as token of this character was changed, cut off, or copied from another row. Log the character in again.',
     'The stored token of this character was changed, truncated, or copied from another row. Log the character in again.'),
    ('The token was sealed with a key that is not in use here. Add that key to TOKEN_ENCRYPTION_KEY, or log the character in again.',
     'The stored token was encrypted with a key that is not in use. Add that key to TOKEN_ENCRYPTION_KEY, or log the character in again.');
UPDATE "esi_tokens" SET "inactive_reason" = new_text FROM reworded WHERE "inactive_reason" = old_text;
UPDATE "collector_assignments" SET "note" = new_text FROM reworded WHERE "note" = old_text;

-- The staged items of an import of static data from ESI that is under way.
DO $$
DECLARE old_name TEXT;
BEGIN
    FOR old_name IN SELECT relname FROM pg_class
                     WHERE relnamespace = 'stage'::regnamespace AND relkind = 'r' AND relname ~ '^r[0-9]+_units$'
    LOOP
        EXECUTE format('ALTER TABLE stage.%I RENAME TO %I', old_name, replace(old_name, '_units', '_import_items'));
    END LOOP;
END $$;
