-- Why a page of a list that only grows could not be read: the other pages are published without it.
ALTER TABLE "collection_runs" ADD COLUMN "page_failure" TEXT;
