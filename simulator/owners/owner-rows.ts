/** The rows of owner routes, in the shapes of ESI. */
export interface AssetRow {
  is_blueprint_copy?: boolean;
  is_singleton: boolean;
  item_id: number;
  location_flag: string;
  location_id: number;
  location_type: 'station' | 'solar_system' | 'item' | 'other';
  quantity: number;
  type_id: number;
}

export interface JournalRow {
  amount?: number;
  balance?: number;
  context_id?: number;
  context_id_type?: string;
  date: string;
  description: string;
  first_party_id?: number;
  id: number;
  reason?: string;
  ref_type: string;
  second_party_id?: number;
  tax?: number;
  tax_receiver_id?: number;
}

export interface TransactionRow {
  client_id: number;
  date: string;
  is_buy: boolean;
  /** Characters' only. */
  is_personal?: boolean;
  journal_ref_id: number;
  location_id: number;
  quantity: number;
  transaction_id: number;
  type_id: number;
  unit_price: number;
}

export interface OwnerOrderRow {
  duration: number;
  /** Buy orders only. */
  escrow?: number;
  /** Buy orders only. */
  is_buy_order?: boolean;
  /** Characters' only. */
  is_corporation?: boolean;
  issued: string;
  /** Corporations' only. */
  issued_by?: number;
  location_id: number;
  /** Buy orders only. */
  min_volume?: number;
  order_id: number;
  price: number;
  range: string;
  region_id: number;
  /** In the history only. */
  state?: 'cancelled' | 'expired';
  type_id: number;
  volume_remain: number;
  volume_total: number;
  /** Corporations' only. */
  wallet_division?: number;
}

export type JobStatus = 'active' | 'cancelled' | 'delivered' | 'paused' | 'ready' | 'reverted';

export interface JobRow {
  activity_id: number;
  blueprint_id: number;
  blueprint_location_id: number;
  blueprint_type_id: number;
  completed_character_id?: number;
  completed_date?: string;
  cost?: number;
  duration: number;
  end_date: string;
  facility_id: number;
  installer_id: number;
  job_id: number;
  licensed_runs?: number;
  /** Corporations' only. */
  location_id?: number;
  output_location_id: number;
  pause_date?: string;
  probability?: number;
  product_type_id?: number;
  runs: number;
  start_date: string;
  /** Characters' only. */
  station_id?: number;
  status: JobStatus;
  successful_runs?: number;
}
