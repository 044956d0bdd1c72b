-- Fields of ESI's answers that no collector knows, for "doctor" and the metrics.
CREATE TABLE "unknown_fields" (
    "route" TEXT NOT NULL,
    "field" TEXT NOT NULL,
    "first_seen_at" TIMESTAMPTZ NOT NULL,

    CONSTRAINT "unknown_fields_pkey" PRIMARY KEY ("route","field")
);
