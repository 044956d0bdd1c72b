-- AlterTable
ALTER TABLE "collection_runs" ADD COLUMN "progress_done" INTEGER,
ADD COLUMN "progress_total" INTEGER;

-- CreateTable. By hand: partitioned by year.
CREATE TABLE "market_history" (
    "region_id" BIGINT NOT NULL,
    "type_id" BIGINT NOT NULL,
    "date" DATE NOT NULL,
    "average" DOUBLE PRECISION NOT NULL,
    "highest" DOUBLE PRECISION NOT NULL,
    "lowest" DOUBLE PRECISION NOT NULL,
    "order_count" BIGINT NOT NULL,
    "volume" BIGINT NOT NULL,

    CONSTRAINT "market_history_pkey" PRIMARY KEY ("region_id", "type_id", "date")
) PARTITION BY RANGE ("date");

-- CreateTable
CREATE TABLE "market_history_types" (
    "region_id" BIGINT NOT NULL,
    "type_id" BIGINT NOT NULL,
    "asked_day" DATE,
    "rejections" INTEGER NOT NULL DEFAULT 0,
    "rest_until" DATE,

    CONSTRAINT "market_history_types_pkey" PRIMARY KEY ("region_id", "type_id")
);

-- CreateTable
CREATE TABLE "industry_indices" (
    "solar_system_id" BIGINT NOT NULL,
    "activity" TEXT NOT NULL,
    "cost_index" DOUBLE PRECISION NOT NULL,
    "date" DATE NOT NULL,

    CONSTRAINT "industry_indices_pkey" PRIMARY KEY ("solar_system_id", "activity", "date")
);

-- CreateTable
CREATE TABLE "industry_facilities" (
    "facility_id" BIGINT NOT NULL,
    "owner_id" BIGINT NOT NULL,
    "region_id" BIGINT NOT NULL,
    "solar_system_id" BIGINT NOT NULL,
    "type_id" BIGINT NOT NULL,
    "tax" DOUBLE PRECISION,
    "snapshot_at" TIMESTAMPTZ NOT NULL,

    CONSTRAINT "industry_facilities_pkey" PRIMARY KEY ("facility_id")
);

-- CreateIndex
CREATE INDEX "industry_facilities_solar_system_id_idx" ON "industry_facilities"("solar_system_id");
