-- Market: what people ask first. Region 10000002 is The Forge, type 34 is Tritanium.

-- Best bid, best ask and spread over the last day
SELECT observed_at, best_bid, best_ask, spread
  FROM market_type_series
 WHERE region_id = 10000002 AND type_id = 34 AND observed_at > now() - interval '1 day'
 ORDER BY observed_at;

-- The widest relative spreads with orders on both sides
SELECT t.name, now.best_bid, now.best_ask, round((100 * now.spread / now.best_ask)::numeric, 1) AS spread_percent
  FROM (SELECT DISTINCT ON (type_id) *
          FROM market_type_series
         WHERE region_id = 10000002
         ORDER BY type_id, observed_at DESC) now
  JOIN types t USING (type_id)
 WHERE now.bid_orders > 0 AND now.ask_orders > 0
 ORDER BY spread_percent DESC
 LIMIT 20;

-- The order book of an hour ago
SELECT is_buy_order, price, volume_remain, location_id
  FROM market_book_at(10000002, now() - interval '1 hour')
 WHERE type_id = 34
 ORDER BY is_buy_order, price;

-- Volume that left orders per day: of orders that were partly filled, and of orders that are closed. Cancelled and expired
-- orders count too, so this is an upper bound of the traded volume. market_history has ESI's own figure, a day later.
SELECT date_trunc('day', at) AS day,
       sum(old_volume_remain - coalesce(volume_remain, 0)) AS volume
  FROM market_order_events
 WHERE region_id = 10000002 AND type_id = 34 AND event IN ('volume', 'closed') AND at > now() - interval '7 days'
 GROUP BY 1
 ORDER BY 1;

-- The life of one order
SELECT at, event, old_price, price, old_volume_remain, volume_remain
  FROM market_order_events
 WHERE order_id = (SELECT min(order_id) FROM market_orders_public WHERE region_id = 10000002)
 ORDER BY at;

-- Daily history: average price and volume of the last 30 days
SELECT date, average, volume, order_count
  FROM market_history
 WHERE region_id = 10000002 AND type_id = 34 AND date > current_date - 30
 ORDER BY date;
