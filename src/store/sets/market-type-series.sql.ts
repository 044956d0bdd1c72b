/**
 * Best bid and ask, volumes and counts per type of a region, inserted for the types whose figures changed.
 * $1 is the region, $2 the moment of the snapshot. `everyType`: the region had no rows before, so all its types are new.
 */
export function marketTypeSeries(everyType: boolean): string {
  const figures = `max(price) FILTER (WHERE is_buy_order) AS best_bid,
      min(price) FILTER (WHERE NOT is_buy_order) AS best_ask,
      coalesce(sum(volume_remain) FILTER (WHERE is_buy_order), 0)::bigint AS bid_volume,
      coalesce(sum(volume_remain) FILTER (WHERE NOT is_buy_order), 0)::bigint AS ask_volume,
      count(*) FILTER (WHERE is_buy_order)::int AS bid_orders,
      count(*) FILTER (WHERE NOT is_buy_order)::int AS ask_orders`;
  const columns = `region_id, type_id, observed_at, best_bid, best_ask, spread, bid_volume, ask_volume, bid_orders, ask_orders`;
  if (everyType) {
    return `INSERT INTO market_type_series (${columns})
      SELECT $1, f.type_id, $2, best_bid, best_ask, best_ask - best_bid, bid_volume, ask_volume, bid_orders, ask_orders
        FROM (SELECT type_id, ${figures} FROM market_orders_public WHERE region_id = $1 GROUP BY type_id) f
      ON CONFLICT DO NOTHING`;
  }
  return `INSERT INTO market_type_series (${columns})
    SELECT $1, t.type_id, $2, f.best_bid, f.best_ask, f.best_ask - f.best_bid, coalesce(f.bid_volume, 0),
           coalesce(f.ask_volume, 0), coalesce(f.bid_orders, 0), coalesce(f.ask_orders, 0)
      FROM (SELECT DISTINCT type_id FROM diff) t
      LEFT JOIN (SELECT type_id, ${figures} FROM market_orders_public b
                  WHERE region_id = $1 AND type_id IN (SELECT type_id FROM diff) GROUP BY type_id) f USING (type_id)
      LEFT JOIN LATERAL (SELECT m.* FROM market_type_series m WHERE m.region_id = $1 AND m.type_id = t.type_id
                          ORDER BY m.observed_at DESC LIMIT 1) l ON true
     WHERE l.type_id IS NULL
        OR (l.best_bid, l.best_ask, l.bid_volume, l.ask_volume, l.bid_orders, l.ask_orders) IS DISTINCT FROM
           (f.best_bid, f.best_ask, coalesce(f.bid_volume, 0), coalesce(f.ask_volume, 0), coalesce(f.bid_orders, 0),
            coalesce(f.ask_orders, 0))
    ON CONFLICT DO NOTHING`;
}
