-- By hand: what is kept of a page instead of its rows: the keys of all of them, and the run whose published rows those that
-- are not staged are equal to. Pages of an earlier version have neither, and are requested without an ETag.
ALTER TABLE "stage"."pages" ADD COLUMN "compared_with" BIGINT, ADD COLUMN "keys" BYTEA;

-- By hand: keys are compact already.
ALTER TABLE "stage"."pages" ALTER COLUMN "keys" SET STORAGE EXTERNAL;
