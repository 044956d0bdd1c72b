-- Characters and corporations. 90000001 is a character, 98000001 a corporation.

-- What moved in the last day
SELECT d.detected_at, d.change_type, t.name, d.old_quantity, d.new_quantity, d.old_location_id, d.new_location_id
  FROM asset_diffs d JOIN types t USING (type_id)
 WHERE d.character_id = 90000001 AND d.current_snapshot_at > now() - interval '1 day'
 ORDER BY d.id;

-- The assets of a week ago
SELECT t.name, sum(a.quantity)
  FROM assets_at(90000001, NULL, now() - interval '7 days') a JOIN types t USING (type_id)
 GROUP BY 1 ORDER BY 2 DESC;

-- Income and expenses of the last 30 days by kind (ISK)
SELECT ref_type, sum(amount) AS isk, count(*)
  FROM wallet_journal
 WHERE corporation_id = 98000001 AND date > now() - interval '30 days'
 GROUP BY 1 ORDER BY 2 DESC;

-- Balance over time (ISK)
SELECT observed_at, balance FROM wallet_balances WHERE character_id = 90000001 ORDER BY observed_at;

-- Places where the journal does not add up: ESI lists only 30 days
SELECT * FROM wallet_journal_gaps WHERE accepted_at IS NULL ORDER BY before_date;

-- Open orders by age
SELECT t.name, o.price, o.volume_remain, o.volume_total, o.issued
  FROM character_orders o JOIN types t USING (type_id)
 WHERE o.character_id = 90000001 AND o.state = 'active'
 ORDER BY o.issued;

-- What is collected for whom, and why something is not
SELECT collector_type, character_id, corporation_id, collection_interval_minutes, last_collected_at, note
  FROM collector_assignments
 ORDER BY note IS NULL, collector_type;

-- Collect the wallet of a logged-in character every 30 minutes. Takes effect within a minute.
INSERT INTO collector_assignments (character_id, collector_type, collection_interval_minutes)
SELECT character_id, 'WALLET', 30 FROM esi_tokens WHERE character_id = 90000001
    ON CONFLICT DO NOTHING;

-- Stop collecting the assets of a corporation. Takes effect within a minute.
UPDATE collector_assignments SET is_enabled = false
 WHERE corporation_id = 98000001 AND collector_type = 'ASSETS';

-- Use a refresh token from elsewhere (of the same SSO application), also in place of an older one. It is encrypted within a minute.
-- INSERT INTO characters (character_id) VALUES (90000001) ON CONFLICT DO NOTHING;
-- INSERT INTO esi_tokens (character_id, refresh_token) VALUES (90000001, '...')
--     ON CONFLICT (character_id) DO UPDATE
--        SET refresh_token = excluded.refresh_token, access_token = NULL, expires_at = NULL, is_active = true,
--            inactive_reason = NULL;
