-- Orders of characters and of corporations with how they ended: ESI calls an order expired that was filled at the last moment.
CREATE VIEW "owner_orders" AS
    SELECT order_id, character_id, NULL::bigint AS corporation_id, NULL::bigint AS issued_by,
           NULL::integer AS wallet_division, type_id, region_id, location_id, volume_total, volume_remain, min_volume, price,
           is_buy_order, duration, issued, range, state,
           CASE WHEN state = 'expired' AND volume_remain = 0 THEN 'filled' ELSE state END AS outcome,
           escrow, snapshot_at, left_at
      FROM character_orders
    UNION ALL
    SELECT order_id, NULL, corporation_id, issued_by, wallet_division, type_id, region_id, location_id, volume_total,
           volume_remain, min_volume, price, is_buy_order, duration, issued, range, state,
           CASE WHEN state = 'expired' AND volume_remain = 0 THEN 'filled' ELSE state END, escrow, snapshot_at, left_at
      FROM corporation_orders;

COMMENT ON VIEW "owner_orders" IS 'Open and closed orders of characters and corporations.';
COMMENT ON COLUMN "owner_orders"."state" IS 'As ESI states it, or filled or unknown where it states nothing.';
COMMENT ON COLUMN "owner_orders"."outcome" IS 'The state; filled where an order expired with nothing remaining.';
