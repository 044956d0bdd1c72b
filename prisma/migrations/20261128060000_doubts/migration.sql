-- What made a snapshot suspect: the next one confirms it by giving the same. `suspect_accepted`: a person has confirmed it.
ALTER TABLE "published_sets" ADD COLUMN "suspect_reason" TEXT, ADD COLUMN "suspect_accepted" BOOLEAN NOT NULL DEFAULT false,
  ADD COLUMN "believed" TEXT[] NOT NULL DEFAULT '{}';
UPDATE "published_sets" SET "suspect_reason" = 'rows-missing' WHERE "suspect_last_modified" IS NOT NULL;

-- What a run has to say besides its outcome, such as rows that came twice.
ALTER TABLE "collection_runs" ADD COLUMN "note" TEXT;

-- The first page that does not exist, although page 1 announced it: none after it is requested.
ALTER TABLE "collection_runs" ADD COLUMN "missing_page" INTEGER;
