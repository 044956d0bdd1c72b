-- Gaps that are no more than the rounding of a large balance: a double of 1e14 ISK errs by a cent.
DELETE FROM "wallet_journal_gaps" g USING "wallet_journal" j
 WHERE j."journal_id" = g."before_journal_id" AND j."character_id" IS NOT DISTINCT FROM g."character_id"
   AND j."corporation_id" IS NOT DISTINCT FROM g."corporation_id" AND j."division" IS NOT DISTINCT FROM g."division"
   AND abs(g."missing_amount") < 0.02 + 2 * abs(j."balance") / 4503599627370496;
