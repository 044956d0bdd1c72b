-- When a person acknowledged a gap: it is not told any more.
ALTER TABLE "wallet_journal_gaps" ADD COLUMN "accepted_at" TIMESTAMPTZ;
