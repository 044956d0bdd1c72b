-- ANALYZE stores samples of a column's values in pg_statistic. Of tokens it must not, because they may be plaintext for a minute.
ALTER TABLE "esi_tokens" ALTER COLUMN "access_token" SET STATISTICS 0, ALTER COLUMN "refresh_token" SET STATISTICS 0;
