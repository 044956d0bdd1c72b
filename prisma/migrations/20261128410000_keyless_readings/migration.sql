-- Readings in a row with rows whose key could not be read. From the third on, absent rows are believed to be gone.
ALTER TABLE "published_sets" ADD COLUMN "keyless_readings" INTEGER NOT NULL DEFAULT 0;
