-- By hand: what other routes told of staged rows, one row for each item that was asked for.
CREATE UNLOGGED TABLE "stage"."details" (
    "run_id" BIGINT NOT NULL,
    "detail" TEXT NOT NULL,
    "id" BIGINT NOT NULL,
    "name" TEXT,
    "position_x" DOUBLE PRECISION,
    "position_y" DOUBLE PRECISION,
    "position_z" DOUBLE PRECISION,
    PRIMARY KEY ("run_id", "detail", "id")
);

-- By hand: for which reading of a run's pages that is, and whether everything has been asked.
CREATE UNLOGGED TABLE "stage"."detail_readings" (
    "run_id" BIGINT PRIMARY KEY,
    "reading" UUID NOT NULL DEFAULT gen_random_uuid(),
    "closed" BOOLEAN NOT NULL DEFAULT false
);
