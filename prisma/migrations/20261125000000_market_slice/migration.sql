-- Tables as schema.prisma has them. What Prisma has no word for (partitions, fill factor, views, functions) is added by
-- hand and marked so. A script is split at every semicolon, so no comment, text or function body may hold one.

-- CreateTable
CREATE TABLE "categories" (
    "category_id" BIGINT NOT NULL,
    "name" TEXT NOT NULL,
    "published" BOOLEAN NOT NULL DEFAULT false,
    "is_placeholder" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "categories_pkey" PRIMARY KEY ("category_id")
);

-- CreateTable
CREATE TABLE "groups" (
    "group_id" BIGINT NOT NULL,
    "category_id" BIGINT,
    "name" TEXT NOT NULL,
    "published" BOOLEAN NOT NULL DEFAULT false,
    "is_placeholder" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "groups_pkey" PRIMARY KEY ("group_id")
);

-- CreateTable
CREATE TABLE "market_groups" (
    "market_group_id" BIGINT NOT NULL,
    "parent_group_id" BIGINT,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "is_placeholder" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "market_groups_pkey" PRIMARY KEY ("market_group_id")
);

-- CreateTable
CREATE TABLE "types" (
    "type_id" BIGINT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "group_id" BIGINT,
    "market_group_id" BIGINT,
    "volume" DOUBLE PRECISION,
    "capacity" DOUBLE PRECISION,
    "packaged_volume" DOUBLE PRECISION,
    "mass" DOUBLE PRECISION,
    "portion_size" BIGINT,
    "published" BOOLEAN NOT NULL DEFAULT false,
    "is_placeholder" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "types_pkey" PRIMARY KEY ("type_id")
);

-- CreateTable
CREATE TABLE "regions" (
    "region_id" BIGINT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "is_placeholder" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "regions_pkey" PRIMARY KEY ("region_id")
);

-- CreateTable
CREATE TABLE "constellations" (
    "constellation_id" BIGINT NOT NULL,
    "region_id" BIGINT,
    "name" TEXT NOT NULL,
    "position_x" DOUBLE PRECISION,
    "position_y" DOUBLE PRECISION,
    "position_z" DOUBLE PRECISION,
    "is_placeholder" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "constellations_pkey" PRIMARY KEY ("constellation_id")
);

-- CreateTable
CREATE TABLE "systems" (
    "system_id" BIGINT NOT NULL,
    "constellation_id" BIGINT,
    "name" TEXT NOT NULL,
    "security_status" DOUBLE PRECISION,
    "star_id" BIGINT,
    "position_x" DOUBLE PRECISION,
    "position_y" DOUBLE PRECISION,
    "position_z" DOUBLE PRECISION,
    "is_placeholder" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "systems_pkey" PRIMARY KEY ("system_id")
);

-- CreateTable
CREATE TABLE "stations" (
    "station_id" BIGINT NOT NULL,
    "system_id" BIGINT,
    "name" TEXT NOT NULL,
    "type_id" BIGINT,
    "owner" BIGINT,
    "position_x" DOUBLE PRECISION,
    "position_y" DOUBLE PRECISION,
    "position_z" DOUBLE PRECISION,
    "is_placeholder" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "stations_pkey" PRIMARY KEY ("station_id")
);

-- CreateTable
CREATE TABLE "structures" (
    "structure_id" BIGINT NOT NULL,
    "system_id" BIGINT,
    "name" TEXT NOT NULL,
    "type_id" BIGINT,
    "owner_id" BIGINT,
    "position_x" DOUBLE PRECISION,
    "position_y" DOUBLE PRECISION,
    "position_z" DOUBLE PRECISION,
    "is_placeholder" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "structures_pkey" PRIMARY KEY ("structure_id")
);

-- CreateTable
CREATE TABLE "schematics" (
    "schematic_id" BIGINT NOT NULL,
    "name" TEXT NOT NULL,
    "cycle_time" BIGINT,
    "is_placeholder" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "schematics_pkey" PRIMARY KEY ("schematic_id")
);

-- CreateTable
CREATE TABLE "market_orders_public" (
    "order_id" BIGINT NOT NULL,
    "type_id" BIGINT NOT NULL,
    "region_id" BIGINT NOT NULL,
    "location_id" BIGINT NOT NULL,
    "system_id" BIGINT NOT NULL,
    "volume_total" BIGINT NOT NULL,
    "volume_remain" BIGINT NOT NULL,
    "min_volume" BIGINT NOT NULL,
    "price" DOUBLE PRECISION NOT NULL,
    "is_buy_order" BOOLEAN NOT NULL,
    "duration" INTEGER NOT NULL,
    "issued" TIMESTAMPTZ NOT NULL,
    "range" TEXT NOT NULL,
    "snapshot_at" TIMESTAMPTZ NOT NULL,

    CONSTRAINT "market_orders_public_pkey" PRIMARY KEY ("order_id")
) WITH (fillfactor = 90);

-- CreateTable
CREATE TABLE "market_order_changes" (
    "order_id" BIGINT NOT NULL,
    "type_id" BIGINT NOT NULL,
    "region_id" BIGINT NOT NULL,
    "location_id" BIGINT NOT NULL,
    "system_id" BIGINT NOT NULL,
    "volume_total" BIGINT NOT NULL,
    "volume_remain" BIGINT NOT NULL,
    "min_volume" BIGINT NOT NULL,
    "price" DOUBLE PRECISION NOT NULL,
    "is_buy_order" BOOLEAN NOT NULL,
    "duration" INTEGER NOT NULL,
    "issued" TIMESTAMPTZ NOT NULL,
    "range" TEXT NOT NULL,
    "valid_from" TIMESTAMPTZ NOT NULL,
    "valid_to" TIMESTAMPTZ NOT NULL,
    "ended_by" TEXT NOT NULL,

    CONSTRAINT "market_order_changes_pkey" PRIMARY KEY ("order_id","valid_to")
) PARTITION BY RANGE ("valid_to");

-- CreateTable
CREATE TABLE "market_type_series" (
    "region_id" BIGINT NOT NULL,
    "type_id" BIGINT NOT NULL,
    "observed_at" TIMESTAMPTZ NOT NULL,
    "best_bid" DOUBLE PRECISION,
    "best_ask" DOUBLE PRECISION,
    "spread" DOUBLE PRECISION,
    "bid_volume" BIGINT NOT NULL,
    "ask_volume" BIGINT NOT NULL,
    "bid_orders" INTEGER NOT NULL,
    "ask_orders" INTEGER NOT NULL,

    CONSTRAINT "market_type_series_pkey" PRIMARY KEY ("region_id","type_id","observed_at")
) PARTITION BY RANGE ("observed_at");

-- CreateTable
CREATE TABLE "market_prices" (
    "type_id" BIGINT NOT NULL,
    "adjusted_price" DOUBLE PRECISION,
    "average_price" DOUBLE PRECISION,
    "observed_at" TIMESTAMPTZ NOT NULL,

    CONSTRAINT "market_prices_pkey" PRIMARY KEY ("type_id","observed_at")
);

-- CreateTable
CREATE TABLE "collection_runs" (
    "run_id" BIGSERIAL NOT NULL,
    "collector" TEXT NOT NULL,
    "target" TEXT NOT NULL DEFAULT '',
    "workflow_id" TEXT,
    "workflow_run_id" TEXT,
    "started_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ,
    "outcome" TEXT,
    "pages" INTEGER NOT NULL DEFAULT 0,
    "rows_read" BIGINT NOT NULL DEFAULT 0,
    "rows_inserted" BIGINT NOT NULL DEFAULT 0,
    "rows_changed" BIGINT NOT NULL DEFAULT 0,
    "rows_removed" BIGINT NOT NULL DEFAULT 0,
    "rows_rejected" BIGINT NOT NULL DEFAULT 0,
    "requests" INTEGER NOT NULL DEFAULT 0,
    "not_modified" INTEGER NOT NULL DEFAULT 0,
    "last_modified" TIMESTAMPTZ,
    "expires" TIMESTAMPTZ,
    "error" TEXT,

    CONSTRAINT "collection_runs_pkey" PRIMARY KEY ("run_id")
);

-- CreateTable
CREATE TABLE "rejected_rows" (
    "id" BIGSERIAL NOT NULL,
    "run_id" BIGINT NOT NULL,
    "collector" TEXT NOT NULL,
    "target" TEXT NOT NULL DEFAULT '',
    "row" JSONB,
    "reason" TEXT NOT NULL,
    "seen_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "rejected_rows_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "published_sets" (
    "collector" TEXT NOT NULL,
    "target" TEXT NOT NULL DEFAULT '',
    "run_id" BIGINT NOT NULL,
    "last_modified" TIMESTAMPTZ,
    "expires" TIMESTAMPTZ,
    "read_at" TIMESTAMPTZ NOT NULL,
    "pages" INTEGER NOT NULL,
    "rows" BIGINT NOT NULL,
    "doubt_last_modified" TIMESTAMPTZ,
    "doubt_rows" BIGINT,
    "version" TEXT,

    CONSTRAINT "published_sets_pkey" PRIMARY KEY ("collector","target")
);

-- CreateTable
CREATE TABLE "esi_cache" (
    "url" TEXT NOT NULL,
    "etag" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "esi_cache_pkey" PRIMARY KEY ("url")
);

-- CreateTable
CREATE TABLE "esi_control" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "paused_at" TIMESTAMPTZ,
    "reason" TEXT,

    CONSTRAINT "esi_control_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "groups_category_id_idx" ON "groups"("category_id");

-- CreateIndex
CREATE INDEX "market_groups_parent_group_id_idx" ON "market_groups"("parent_group_id");

-- CreateIndex
CREATE INDEX "types_group_id_idx" ON "types"("group_id");

-- CreateIndex
CREATE INDEX "types_market_group_id_idx" ON "types"("market_group_id");

-- CreateIndex
CREATE INDEX "constellations_region_id_idx" ON "constellations"("region_id");

-- CreateIndex
CREATE INDEX "systems_constellation_id_idx" ON "systems"("constellation_id");

-- CreateIndex
CREATE INDEX "stations_system_id_idx" ON "stations"("system_id");

-- CreateIndex
CREATE INDEX "structures_system_id_idx" ON "structures"("system_id");

-- CreateIndex
CREATE INDEX "market_orders_public_region_id_type_id_idx" ON "market_orders_public"("region_id", "type_id");

-- CreateIndex
CREATE INDEX "market_order_changes_region_id_valid_to_idx" ON "market_order_changes"("region_id", "valid_to");

-- CreateIndex
CREATE INDEX "market_type_series_observed_at_idx" ON "market_type_series" USING BRIN ("observed_at");

-- CreateIndex
CREATE UNIQUE INDEX "collection_runs_workflow_run_id_key" ON "collection_runs"("workflow_run_id");

-- CreateIndex
CREATE INDEX "collection_runs_collector_target_started_at_idx" ON "collection_runs"("collector", "target", "started_at");

-- CreateIndex
CREATE INDEX "rejected_rows_run_id_idx" ON "rejected_rows"("run_id");

-- CreateIndex
CREATE INDEX "rejected_rows_seen_at_idx" ON "rejected_rows"("seen_at");

-- AddForeignKey
ALTER TABLE "groups" ADD CONSTRAINT "groups_category_id_fkey" FOREIGN KEY ("category_id") REFERENCES "categories"("category_id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "types" ADD CONSTRAINT "types_group_id_fkey" FOREIGN KEY ("group_id") REFERENCES "groups"("group_id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "constellations" ADD CONSTRAINT "constellations_region_id_fkey" FOREIGN KEY ("region_id") REFERENCES "regions"("region_id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "systems" ADD CONSTRAINT "systems_constellation_id_fkey" FOREIGN KEY ("constellation_id") REFERENCES "constellations"("constellation_id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "stations" ADD CONSTRAINT "stations_system_id_fkey" FOREIGN KEY ("system_id") REFERENCES "systems"("system_id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "structures" ADD CONSTRAINT "structures_system_id_fkey" FOREIGN KEY ("system_id") REFERENCES "systems"("system_id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "rejected_rows" ADD CONSTRAINT "rejected_rows_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "collection_runs"("run_id") ON DELETE CASCADE ON UPDATE NO ACTION;

-- By hand: staged sets. Unlogged: after a crash of the server they are empty, and what they held is read again.
CREATE SCHEMA IF NOT EXISTS "stage";
CREATE UNLOGGED TABLE "stage"."pages" (
    "run_id" BIGINT NOT NULL,
    "page" INTEGER NOT NULL,
    "pages" INTEGER NOT NULL,
    "url" TEXT NOT NULL,
    "etag" TEXT,
    "last_modified" TIMESTAMPTZ,
    "expires" TIMESTAMPTZ,
    "not_modified" BOOLEAN NOT NULL,
    "rows" INTEGER NOT NULL,
    "rejected" INTEGER NOT NULL,
    "keyless" INTEGER NOT NULL,
    "requests" INTEGER NOT NULL,
    PRIMARY KEY ("run_id", "page")
);

-- By hand: the one row of the brake.
INSERT INTO "esi_control" ("id") VALUES (1);

-- By hand: what readers call.
CREATE TYPE "market_book_row" AS (
    "order_id" BIGINT, "type_id" BIGINT, "region_id" BIGINT, "location_id" BIGINT, "system_id" BIGINT,
    "volume_total" BIGINT, "volume_remain" BIGINT, "min_volume" BIGINT, "price" DOUBLE PRECISION,
    "is_buy_order" BOOLEAN, "duration" INTEGER, "issued" TIMESTAMPTZ, "range" TEXT
);

-- The public book of a region as of the newest published set whose Last-Modified is not after `at`.
CREATE FUNCTION "market_book_at"(region_id BIGINT, at TIMESTAMPTZ) RETURNS SETOF "market_book_row"
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT b.order_id, b.type_id, b.region_id, b.location_id, b.system_id, b.volume_total, b.volume_remain,
           b.min_volume, b.price, b.is_buy_order, b.duration, b.issued, b.range
      FROM market_orders_public b
     WHERE b.region_id = market_book_at.region_id AND b.snapshot_at <= market_book_at.at
    UNION ALL
    SELECT c.order_id, c.type_id, c.region_id, c.location_id, c.system_id, c.volume_total, c.volume_remain,
           c.min_volume, c.price, c.is_buy_order, c.duration, c.issued, c.range
      FROM market_order_changes c
     WHERE c.region_id = market_book_at.region_id
       AND c.valid_to > market_book_at.at AND c.valid_from <= market_book_at.at
$$;

-- Every version of every order, the valid ones with an open end.
CREATE VIEW "market_order_versions" AS
    SELECT order_id, type_id, region_id, location_id, system_id, volume_total, volume_remain, min_volume, price,
           is_buy_order, duration, issued, range, valid_from, valid_to, ended_by
      FROM market_order_changes
    UNION ALL
    SELECT order_id, type_id, region_id, location_id, system_id, volume_total, volume_remain, min_volume, price,
           is_buy_order, duration, issued, range, snapshot_at, NULL, NULL
      FROM market_orders_public;

-- The same as events: opened, price, volume, closed. Filter by order_id, or by region_id and at.
CREATE VIEW "market_order_events" AS
    WITH versions AS (
        SELECT v.*, lag(v.price) OVER w AS old_price, lag(v.volume_remain) OVER w AS old_volume_remain,
               coalesce(lag(v.ended_by) OVER w, 'closed') = 'closed' AS first
          FROM market_order_versions v
        WINDOW w AS (PARTITION BY v.order_id ORDER BY v.valid_from)
    )
    SELECT v.order_id, v.type_id, v.region_id, v.is_buy_order, e.event, e.at,
           e.old_price, e.price, e.old_volume_remain, e.volume_remain
      FROM versions v
     CROSS JOIN LATERAL (VALUES
        ('opened', v.valid_from, NULL::float8, v.price, NULL::bigint, v.volume_remain, v.first),
        ('price', v.valid_from, v.old_price, v.price, v.old_volume_remain, v.volume_remain,
            NOT v.first AND v.price <> v.old_price),
        ('volume', v.valid_from, v.old_price, v.price, v.old_volume_remain, v.volume_remain,
            NOT v.first AND v.volume_remain <> v.old_volume_remain),
        ('closed', v.valid_to, v.price, NULL, v.volume_remain, NULL, v.ended_by = 'closed')
     ) AS e(event, at, old_price, price, old_volume_remain, volume_remain, happened)
     WHERE e.happened;

-- The newest price of each type.
CREATE VIEW "market_prices_now" AS
    SELECT DISTINCT ON (type_id) type_id, adjusted_price, average_price, observed_at
      FROM market_prices ORDER BY type_id, observed_at DESC;
