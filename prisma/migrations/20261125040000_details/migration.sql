-- By hand: what other routes told of staged rows, one row each. The row of id 0 says that everything of a run was asked.
CREATE UNLOGGED TABLE "stage"."details" (
    "run_id" BIGINT NOT NULL,
    "id" BIGINT NOT NULL,
    "name" TEXT,
    "position_x" DOUBLE PRECISION,
    "position_y" DOUBLE PRECISION,
    "position_z" DOUBLE PRECISION,
    PRIMARY KEY ("run_id", "id")
);
