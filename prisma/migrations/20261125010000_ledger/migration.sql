-- CreateTable. By hand: half-empty pages, since a bucket's row is rewritten with every exchange.
CREATE TABLE "esi_buckets" (
    "bucket" TEXT NOT NULL,
    "state" JSONB NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "esi_buckets_pkey" PRIMARY KEY ("bucket")
) WITH (fillfactor = 50);

-- CreateTable
CREATE TABLE "esi_limits" (
    "route" TEXT NOT NULL,
    "group_name" TEXT,
    "tokens" INTEGER,
    "window_seconds" INTEGER,
    "cache_seconds" INTEGER,
    "drift" TEXT,
    "adopted" BOOLEAN NOT NULL,
    "checked_at" TIMESTAMPTZ NOT NULL,

    CONSTRAINT "esi_limits_pkey" PRIMARY KEY ("route")
);
