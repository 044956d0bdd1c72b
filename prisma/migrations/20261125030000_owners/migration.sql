-- Owners: characters and corporations, their tokens, what is collected for them, and what they have. Several routes
-- of one collector share a target, so runs and published sets tell their parts apart.

DROP INDEX "collection_runs_collector_target_started_at_idx";

DROP INDEX "collection_runs_workflow_run_id_key";

ALTER TABLE "collection_runs" ADD COLUMN     "part" TEXT NOT NULL DEFAULT '';

ALTER TABLE "published_sets" DROP CONSTRAINT "published_sets_pkey",
ADD COLUMN     "part" TEXT NOT NULL DEFAULT '',
ADD CONSTRAINT "published_sets_pkey" PRIMARY KEY ("collector", "target", "part");

CREATE TABLE "characters" (
    "character_id" BIGINT NOT NULL,
    "name" TEXT NOT NULL DEFAULT '',
    "corporation_id" BIGINT,
    "roles" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[],
    "roles_until" TIMESTAMPTZ,
    "affiliation_until" TIMESTAMPTZ,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "characters_pkey" PRIMARY KEY ("character_id")
);

CREATE TABLE "corporations" (
    "corporation_id" BIGINT NOT NULL,
    "name" TEXT NOT NULL DEFAULT '',
    "ticker" TEXT,
    "alliance_id" BIGINT,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "corporations_pkey" PRIMARY KEY ("corporation_id")
);

CREATE TABLE "esi_tokens" (
    "id" BIGSERIAL NOT NULL,
    "character_id" BIGINT NOT NULL,
    "character_name" TEXT,
    "owner_hash" TEXT,
    "access_token" TEXT,
    "refresh_token" TEXT,
    "token_type" TEXT NOT NULL DEFAULT 'Bearer',
    "expires_at" TIMESTAMPTZ,
    "scopes" TEXT NOT NULL DEFAULT '',
    "is_active" BOOLEAN NOT NULL DEFAULT true,
    "inactive_reason" TEXT,
    "last_refreshed_at" TIMESTAMPTZ,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "esi_tokens_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "esi_token_scopes" (
    "id" BIGSERIAL NOT NULL,
    "token_id" BIGINT NOT NULL,
    "scope" TEXT NOT NULL,
    "granted_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "esi_token_scopes_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "esi_logins" (
    "state_hash" TEXT NOT NULL,
    "verifier" TEXT NOT NULL,
    "scopes" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ,
    "character_id" BIGINT,
    "message" TEXT,

    CONSTRAINT "esi_logins_pkey" PRIMARY KEY ("state_hash")
);

CREATE TABLE "esi_refusals" (
    "character_id" BIGINT NOT NULL,
    "subject" TEXT NOT NULL,
    "refusals" INTEGER NOT NULL DEFAULT 1,
    "reason" TEXT NOT NULL,
    "refused_at" TIMESTAMPTZ NOT NULL,
    "retry_at" TIMESTAMPTZ NOT NULL,

    CONSTRAINT "esi_refusals_pkey" PRIMARY KEY ("character_id","subject")
);

CREATE TABLE "collector_assignments" (
    "id" BIGSERIAL NOT NULL,
    "character_id" BIGINT,
    "corporation_id" BIGINT,
    "collector_type" TEXT NOT NULL,
    "is_enabled" BOOLEAN NOT NULL DEFAULT true,
    "collection_interval_minutes" INTEGER NOT NULL DEFAULT 60,
    "last_collected_at" TIMESTAMPTZ,
    "next_collection_at" TIMESTAMPTZ,
    "note" TEXT,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "collector_assignments_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "wallet_journal" (
    "id" BIGSERIAL NOT NULL,
    "journal_id" BIGINT NOT NULL,
    "character_id" BIGINT,
    "corporation_id" BIGINT,
    "division" INTEGER,
    "date" TIMESTAMPTZ NOT NULL,
    "ref_type" TEXT NOT NULL,
    "first_party_id" BIGINT,
    "second_party_id" BIGINT,
    "amount" DECIMAL(20,2),
    "balance" DECIMAL(20,2),
    "reason" TEXT,
    "tax" DECIMAL(20,2),
    "tax_receiver_id" BIGINT,
    "context_id" BIGINT,
    "context_id_type" TEXT,
    "description" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "wallet_journal_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "wallet_journal_gaps" (
    "id" BIGSERIAL NOT NULL,
    "character_id" BIGINT,
    "corporation_id" BIGINT,
    "division" INTEGER,
    "after_journal_id" BIGINT NOT NULL,
    "before_journal_id" BIGINT NOT NULL,
    "after_date" TIMESTAMPTZ NOT NULL,
    "before_date" TIMESTAMPTZ NOT NULL,
    "missing_amount" DECIMAL(20,2) NOT NULL,
    "found_at" TIMESTAMPTZ NOT NULL,

    CONSTRAINT "wallet_journal_gaps_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "wallet_transactions" (
    "transaction_id" BIGINT NOT NULL,
    "character_id" BIGINT,
    "corporation_id" BIGINT,
    "division" INTEGER,
    "date" TIMESTAMPTZ NOT NULL,
    "type_id" BIGINT NOT NULL,
    "location_id" BIGINT NOT NULL,
    "quantity" BIGINT NOT NULL,
    "unit_price" DECIMAL(20,2) NOT NULL,
    "is_buy" BOOLEAN NOT NULL,
    "is_personal" BOOLEAN,
    "client_id" BIGINT NOT NULL,
    "journal_ref_id" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE "wallet_balances" (
    "id" BIGSERIAL NOT NULL,
    "character_id" BIGINT,
    "corporation_id" BIGINT,
    "division" INTEGER,
    "balance" DECIMAL(20,2) NOT NULL,
    "observed_at" TIMESTAMPTZ NOT NULL,

    CONSTRAINT "wallet_balances_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "corporation_divisions" (
    "corporation_id" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "division" INTEGER NOT NULL,
    "name" TEXT,
    "updated_at" TIMESTAMPTZ NOT NULL,

    CONSTRAINT "corporation_divisions_pkey" PRIMARY KEY ("corporation_id","kind","division")
);

CREATE TABLE "assets" (
    "item_id" BIGINT NOT NULL,
    "character_id" BIGINT,
    "corporation_id" BIGINT,
    "type_id" BIGINT NOT NULL,
    "location_id" BIGINT NOT NULL,
    "location_type" TEXT NOT NULL,
    "location_flag" TEXT NOT NULL,
    "quantity" BIGINT NOT NULL,
    "is_singleton" BOOLEAN NOT NULL,
    "is_blueprint_copy" BOOLEAN,
    "name" TEXT,
    "position_x" DOUBLE PRECISION,
    "position_y" DOUBLE PRECISION,
    "position_z" DOUBLE PRECISION,
    "snapshot_at" TIMESTAMPTZ NOT NULL
);

CREATE TABLE "asset_diffs" (
    "id" BIGSERIAL NOT NULL,
    "character_id" BIGINT,
    "corporation_id" BIGINT,
    "item_id" BIGINT NOT NULL,
    "type_id" BIGINT NOT NULL,
    "location_id" BIGINT NOT NULL,
    "change_type" TEXT NOT NULL,
    "old_quantity" BIGINT,
    "new_quantity" BIGINT,
    "old_location_id" BIGINT,
    "new_location_id" BIGINT,
    "detected_at" TIMESTAMPTZ NOT NULL,
    "previous_snapshot_at" TIMESTAMPTZ,
    "current_snapshot_at" TIMESTAMPTZ NOT NULL,
    "new_location_flag" TEXT,
    "new_name" TEXT,
    "valid_from" TIMESTAMPTZ,
    "old_type_id" BIGINT,
    "old_location_type" TEXT,
    "old_location_flag" TEXT,
    "old_is_singleton" BOOLEAN,
    "old_is_blueprint_copy" BOOLEAN,
    "old_name" TEXT,
    "old_position_x" DOUBLE PRECISION,
    "old_position_y" DOUBLE PRECISION,
    "old_position_z" DOUBLE PRECISION,

    CONSTRAINT "asset_diffs_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "character_orders" (
    "order_id" BIGINT NOT NULL,
    "character_id" BIGINT NOT NULL,
    "type_id" BIGINT NOT NULL,
    "region_id" BIGINT NOT NULL,
    "location_id" BIGINT NOT NULL,
    "volume_total" BIGINT NOT NULL,
    "volume_remain" BIGINT NOT NULL,
    "min_volume" BIGINT,
    "price" DECIMAL(20,2) NOT NULL,
    "is_buy_order" BOOLEAN NOT NULL DEFAULT false,
    "duration" INTEGER NOT NULL,
    "issued" TIMESTAMPTZ NOT NULL,
    "range" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'active',
    "escrow" DECIMAL(20,2),
    "is_corporation" BOOLEAN NOT NULL DEFAULT false,
    "snapshot_at" TIMESTAMPTZ NOT NULL,
    "left_at" TIMESTAMPTZ,

    CONSTRAINT "character_orders_pkey" PRIMARY KEY ("character_id","order_id")
);

CREATE TABLE "corporation_orders" (
    "order_id" BIGINT NOT NULL,
    "corporation_id" BIGINT NOT NULL,
    "issued_by" BIGINT,
    "wallet_division" INTEGER NOT NULL,
    "type_id" BIGINT NOT NULL,
    "region_id" BIGINT NOT NULL,
    "location_id" BIGINT NOT NULL,
    "volume_total" BIGINT NOT NULL,
    "volume_remain" BIGINT NOT NULL,
    "min_volume" BIGINT,
    "price" DECIMAL(20,2) NOT NULL,
    "is_buy_order" BOOLEAN NOT NULL DEFAULT false,
    "duration" INTEGER NOT NULL,
    "issued" TIMESTAMPTZ NOT NULL,
    "range" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'active',
    "escrow" DECIMAL(20,2),
    "snapshot_at" TIMESTAMPTZ NOT NULL,
    "left_at" TIMESTAMPTZ,

    CONSTRAINT "corporation_orders_pkey" PRIMARY KEY ("corporation_id","order_id")
);

CREATE TABLE "industry_jobs" (
    "job_id" BIGINT NOT NULL,
    "character_id" BIGINT,
    "corporation_id" BIGINT,
    "installer_id" BIGINT NOT NULL,
    "facility_id" BIGINT NOT NULL,
    "station_id" BIGINT,
    "activity_id" INTEGER NOT NULL,
    "blueprint_id" BIGINT NOT NULL,
    "blueprint_type_id" BIGINT NOT NULL,
    "blueprint_location_id" BIGINT NOT NULL,
    "output_location_id" BIGINT NOT NULL,
    "runs" BIGINT NOT NULL,
    "cost" DECIMAL(20,2),
    "licensed_runs" BIGINT,
    "probability" DOUBLE PRECISION,
    "product_type_id" BIGINT,
    "status" TEXT NOT NULL,
    "duration" BIGINT NOT NULL,
    "start_date" TIMESTAMPTZ NOT NULL,
    "end_date" TIMESTAMPTZ NOT NULL,
    "pause_date" TIMESTAMPTZ,
    "completed_date" TIMESTAMPTZ,
    "completed_character_id" BIGINT,
    "successful_runs" BIGINT,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "snapshot_at" TIMESTAMPTZ NOT NULL
);

CREATE INDEX "characters_corporation_id_idx" ON "characters"("corporation_id");

CREATE UNIQUE INDEX "esi_tokens_character_id_key" ON "esi_tokens"("character_id");

CREATE UNIQUE INDEX "esi_token_scopes_token_id_scope_key" ON "esi_token_scopes"("token_id", "scope");

CREATE INDEX "collector_assignments_next_collection_at_idx" ON "collector_assignments"("next_collection_at");

CREATE INDEX "collector_assignments_character_id_idx" ON "collector_assignments"("character_id");

CREATE INDEX "collector_assignments_corporation_id_idx" ON "collector_assignments"("corporation_id");

CREATE UNIQUE INDEX "collector_assignments_collector_type_character_id_corporati_key" ON "collector_assignments"("collector_type", "character_id", "corporation_id") NULLS NOT DISTINCT;

CREATE INDEX "wallet_journal_date_idx" ON "wallet_journal"("date");

CREATE UNIQUE INDEX "wallet_journal_corporation_id_character_id_division_journal_key" ON "wallet_journal"("corporation_id", "character_id", "division", "journal_id") NULLS NOT DISTINCT;

CREATE UNIQUE INDEX "wallet_journal_gaps_corporation_id_character_id_division_be_key" ON "wallet_journal_gaps"("corporation_id", "character_id", "division", "before_journal_id") NULLS NOT DISTINCT;

CREATE INDEX "wallet_transactions_date_idx" ON "wallet_transactions"("date");

CREATE UNIQUE INDEX "wallet_transactions_corporation_id_character_id_division_tr_key" ON "wallet_transactions"("corporation_id", "character_id", "division", "transaction_id") NULLS NOT DISTINCT;

CREATE UNIQUE INDEX "wallet_balances_corporation_id_character_id_division_observ_key" ON "wallet_balances"("corporation_id", "character_id", "division", "observed_at") NULLS NOT DISTINCT;

CREATE UNIQUE INDEX "assets_corporation_id_character_id_item_id_key" ON "assets"("corporation_id", "character_id", "item_id") NULLS NOT DISTINCT;

CREATE INDEX "asset_diffs_corporation_id_character_id_current_snapshot_at_idx" ON "asset_diffs"("corporation_id", "character_id", "current_snapshot_at");

CREATE INDEX "asset_diffs_item_id_idx" ON "asset_diffs"("item_id");

CREATE UNIQUE INDEX "industry_jobs_corporation_id_character_id_job_id_key" ON "industry_jobs"("corporation_id", "character_id", "job_id") NULLS NOT DISTINCT;

CREATE INDEX "collection_runs_collector_target_part_started_at_idx" ON "collection_runs"("collector", "target", "part", "started_at");

CREATE UNIQUE INDEX "collection_runs_workflow_run_id_part_key" ON "collection_runs"("workflow_run_id", "part");

ALTER TABLE "esi_tokens" ADD CONSTRAINT "esi_tokens_character_id_fkey" FOREIGN KEY ("character_id") REFERENCES "characters"("character_id") ON DELETE CASCADE ON UPDATE NO ACTION;

ALTER TABLE "esi_token_scopes" ADD CONSTRAINT "esi_token_scopes_token_id_fkey" FOREIGN KEY ("token_id") REFERENCES "esi_tokens"("id") ON DELETE CASCADE ON UPDATE NO ACTION;

ALTER TABLE "esi_refusals" ADD CONSTRAINT "esi_refusals_character_id_fkey" FOREIGN KEY ("character_id") REFERENCES "characters"("character_id") ON DELETE CASCADE ON UPDATE NO ACTION;

ALTER TABLE "collector_assignments" ADD CONSTRAINT "collector_assignments_character_id_fkey" FOREIGN KEY ("character_id") REFERENCES "characters"("character_id") ON DELETE CASCADE ON UPDATE NO ACTION;

ALTER TABLE "collector_assignments" ADD CONSTRAINT "collector_assignments_corporation_id_fkey" FOREIGN KEY ("corporation_id") REFERENCES "corporations"("corporation_id") ON DELETE CASCADE ON UPDATE NO ACTION;

-- Every row belongs to one owner.
ALTER TABLE "wallet_journal" ADD CONSTRAINT "wallet_journal_one_owner" CHECK (num_nonnulls("character_id", "corporation_id") = 1);
ALTER TABLE "wallet_journal_gaps" ADD CONSTRAINT "wallet_journal_gaps_one_owner" CHECK (num_nonnulls("character_id", "corporation_id") = 1);
ALTER TABLE "wallet_transactions" ADD CONSTRAINT "wallet_transactions_one_owner" CHECK (num_nonnulls("character_id", "corporation_id") = 1);
ALTER TABLE "wallet_balances" ADD CONSTRAINT "wallet_balances_one_owner" CHECK (num_nonnulls("character_id", "corporation_id") = 1);
ALTER TABLE "assets" ADD CONSTRAINT "assets_one_owner" CHECK (num_nonnulls("character_id", "corporation_id") = 1);
ALTER TABLE "asset_diffs" ADD CONSTRAINT "asset_diffs_one_owner" CHECK (num_nonnulls("character_id", "corporation_id") = 1);
ALTER TABLE "industry_jobs" ADD CONSTRAINT "industry_jobs_one_owner" CHECK (num_nonnulls("character_id", "corporation_id") = 1);
ALTER TABLE "collector_assignments" ADD CONSTRAINT "collector_assignments_one_owner" CHECK (num_nonnulls("character_id", "corporation_id") = 1);

ALTER TABLE "collector_assignments" ADD CONSTRAINT "collector_assignments_interval" CHECK ("collection_interval_minutes" >= 1);

-- What changes without changing a key is rewritten in its page.
ALTER TABLE "collector_assignments" SET (fillfactor = 80);
ALTER TABLE "assets" SET (fillfactor = 95);

CREATE TYPE "asset_row" AS (
    "item_id" BIGINT, "character_id" BIGINT, "corporation_id" BIGINT, "type_id" BIGINT, "location_id" BIGINT,
    "location_type" TEXT, "location_flag" TEXT, "quantity" BIGINT, "is_singleton" BOOLEAN,
    "is_blueprint_copy" BOOLEAN, "name" TEXT, "position_x" DOUBLE PRECISION, "position_y" DOUBLE PRECISION,
    "position_z" DOUBLE PRECISION
);

-- The assets of an owner as of the newest published set whose Last-Modified is not after `at` (one of the ids is null).
CREATE FUNCTION "assets_at"(character_id BIGINT, corporation_id BIGINT, at TIMESTAMPTZ) RETURNS SETOF "asset_row"
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT a.item_id, a.character_id, a.corporation_id, a.type_id, a.location_id, a.location_type, a.location_flag,
           a.quantity, a.is_singleton, a.is_blueprint_copy, a.name, a.position_x, a.position_y, a.position_z
      FROM assets a
     WHERE (a.character_id = assets_at.character_id AND a.corporation_id IS NULL
            OR a.corporation_id = assets_at.corporation_id AND a.character_id IS NULL)
       AND a.snapshot_at <= assets_at.at
    UNION ALL
    SELECT d.item_id, d.character_id, d.corporation_id, d.old_type_id, d.old_location_id, d.old_location_type,
           d.old_location_flag, d.old_quantity, d.old_is_singleton, d.old_is_blueprint_copy, d.old_name,
           d.old_position_x, d.old_position_y, d.old_position_z
      FROM asset_diffs d
     WHERE (d.character_id = assets_at.character_id AND d.corporation_id IS NULL
            OR d.corporation_id = assets_at.corporation_id AND d.character_id IS NULL)
       AND d.current_snapshot_at > assets_at.at AND d.valid_from <= assets_at.at
$$;

-- What every wallet holds now (the division is null for characters).
CREATE VIEW "wallet_balances_now" AS
    SELECT DISTINCT ON (character_id, corporation_id, division) character_id, corporation_id, division, balance, observed_at
      FROM wallet_balances ORDER BY character_id, corporation_id, division, observed_at DESC;
