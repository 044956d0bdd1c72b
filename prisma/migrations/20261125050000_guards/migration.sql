-- The interval that the next collection was planned by: a shorter one, set by SQL, is seen by it.
ALTER TABLE "collector_assignments" ADD COLUMN "planned_minutes" INTEGER;

-- By hand: what people write into these tables has to be readable. Ids are whole numbers of JSON, times are no infinity.
ALTER TABLE "characters" ADD CONSTRAINT "characters_id_range" CHECK ("character_id" BETWEEN 1 AND 9007199254740991);
ALTER TABLE "corporations" ADD CONSTRAINT "corporations_id_range" CHECK ("corporation_id" BETWEEN 1 AND 9007199254740991);
ALTER TABLE "esi_tokens" ADD CONSTRAINT "esi_tokens_times_finite" CHECK (isfinite("expires_at") AND isfinite("last_refreshed_at"));
ALTER TABLE "collector_assignments" ADD CONSTRAINT "collector_assignments_times_finite" CHECK (isfinite("next_collection_at") AND isfinite("last_collected_at"));
