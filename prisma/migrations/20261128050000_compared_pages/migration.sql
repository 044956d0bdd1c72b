-- By hand: what is kept of a page instead of its rows: the keys of all of them, and the run whose published rows those that
-- are not staged are equal to. Pages of an earlier version have neither, and are requested without an ETag.
ALTER TABLE "stage"."pages" ADD COLUMN "compared_with" BIGINT, ADD COLUMN "keys" BYTEA;

-- By hand: keys are compact already.
ALTER TABLE "stage"."pages" ALTER COLUMN "keys" SET STORAGE EXTERNAL;

-- By hand: room in each page, so that a changed row stays in its page and no index is touched.
ALTER TABLE "market_orders_public" SET (fillfactor = 90);
ALTER TABLE "assets" SET (fillfactor = 90);
