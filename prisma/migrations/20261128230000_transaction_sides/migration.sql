-- A trade of an owner with itself has two rows with one id: both sides belong to the key. The old index goes last.
CREATE UNIQUE INDEX "wallet_transactions_owner_transaction_side_key" ON "wallet_transactions"("corporation_id", "character_id", "division", "transaction_id", "is_buy") NULLS NOT DISTINCT;
DROP INDEX "wallet_transactions_corporation_id_character_id_division_tr_key";
