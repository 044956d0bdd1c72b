/** The scopes of the owner routes, under the name of what they allow. */
export const SCOPES = {
  structures: 'esi-universe.read_structures.v1',
  roles: 'esi-characters.read_corporation_roles.v1',
  wallet: 'esi-wallet.read_character_wallet.v1',
  corpWallets: 'esi-wallet.read_corporation_wallets.v1',
  divisions: 'esi-corporations.read_divisions.v1',
  assets: 'esi-assets.read_assets.v1',
  corpAssets: 'esi-assets.read_corporation_assets.v1',
  orders: 'esi-markets.read_character_orders.v1',
  corpOrders: 'esi-markets.read_corporation_orders.v1',
  jobs: 'esi-industry.read_character_jobs.v1',
  corpJobs: 'esi-industry.read_corporation_jobs.v1',
} as const;

export const OWNER_SCOPES: readonly string[] = Object.values(SCOPES);
