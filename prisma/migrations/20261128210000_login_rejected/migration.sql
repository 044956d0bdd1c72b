-- When EVE first rejected the refresh token of a login: a second rejection, later, confirms it.
ALTER TABLE "esi_tokens" ADD COLUMN "rejected_at" TIMESTAMPTZ;
