import { errorContent, type Content, type Resolve, type RouteContext } from '../route-content.ts';
import type { Route } from '../route.ts';
import { serveBackwards, servePages, type RowSource } from '../serve-pages.ts';
import type { World } from '../world.ts';
import { DIVISIONS } from './owner-data.ts';
import { ASSETS_SECONDS } from './owners.ts';
import { PUBLIC_ROUTES } from './public-routes.ts';
import { SCOPES } from './owner-scopes.ts';
import { serveIds, serveValue, rowSource } from './serve-owner-data.ts';
import type { TransactionRow } from './owner-rows.ts';

/** ESI's page sizes: of assets, orders and jobs, and of the rows of wallets. */
const PAGE_ROWS = 1_000;

const WALLET_PAGE = 2_500;

/** ESI's cache times, in seconds. */
const SECONDS = {
  roles: 3_600,
  wallet: 120,
  wallets: 300,
  journal: 3_600,
  transactions: 3_600,
  divisions: 3_600,
  orders: 1_200,
  history: 3_600,
  jobs: 300,
} as const;

const roles: Resolve = (context, call, id) =>
  serveValue(context, call, { ownerId: id, what: 'roles' }, SECONDS.roles, () => ({
    roles: context.owners.character(id).roles,
    roles_at_base: [],
    roles_at_hq: [],
    roles_at_other: [],
  }));

const wallet: Resolve = (context, call, id) =>
  serveValue(context, call, { ownerId: id, what: 'wallet' }, SECONDS.wallet, () =>
    context.owners.balance(id),
  );

const wallets: Resolve = (context, call, id) =>
  serveValue(context, call, { ownerId: id, what: 'wallet' }, SECONDS.wallets, () =>
    Array.from({ length: DIVISIONS }, (_, index) => ({
      balance: context.owners.balance(id, index + 1),
      division: index + 1,
    })),
  );

/** Only divisions with custom names are listed. */
const divisions: Resolve = (context, call, id) =>
  serveValue(context, call, { ownerId: id, what: 'divisions' }, SECONDS.divisions, () => ({
    hangar: [
      { division: 1, name: 'Minerals' },
      { division: 3, name: 'Ships & Fits' },
    ],
    wallet: [{ division: 2, name: 'Trade' }],
  }));

/** A character has one wallet, and its path has no division. */
const hasDivision = (context: RouteContext, id: number, part: number): boolean =>
  context.owners.registry.corporations.has(id) ? part >= 1 && part <= DIVISIONS : part === 0;

const journal: Resolve = (context, call, id, part) => {
  if (!hasDivision(context, id, part)) return errorContent(400, 'division: not 1 to 7');
  const make = () => context.owners.data.wallet(id, part || 1).journalAt(context.owners.now());
  return servePages(
    context,
    call,
    rowSource(context, { ownerId: id, what: 'journal', part }, SECONDS.journal, WALLET_PAGE, make),
  );
};

function servedTransactions(
  context: RouteContext,
  call: Parameters<Resolve>[1],
  source: RowSource<TransactionRow>,
): Content {
  return serveBackwards(context, call, source, (row) => row.transaction_id);
}

const transactions: Resolve = (context, call, id, part) => {
  if (!hasDivision(context, id, part)) return errorContent(400, 'division: not 1 to 7');
  const make = () => context.owners.transactions(id, part || 1);
  const key = { ownerId: id, what: 'transactions', part } as const;
  return servedTransactions(context, call, rowSource(context, key, SECONDS.transactions, WALLET_PAGE, make));
};

const assets: Resolve = (context, call, id) => {
  const make = () => context.owners.data.assets(id).table.copy();
  return servePages(
    context,
    call,
    rowSource(context, { ownerId: id, what: 'assets' }, ASSETS_SECONDS, PAGE_ROWS, make),
  );
};

const INVALID_IDS = 'Invalid IDs in the request';

const assetNames: Resolve = (context, call, id) =>
  serveIds(context, call, INVALID_IDS, (ids) => context.owners.data.assets(id).namesOf(ids));

const assetLocations: Resolve = (context, call, id) =>
  serveIds(context, call, INVALID_IDS, (ids) => context.owners.data.assets(id).locationsOf(ids));

/** Open orders: a corporation's are paged, a character's are not. */
const openOrders =
  (size?: number): Resolve =>
  (context, call, id) =>
    servePages(
      context,
      call,
      rowSource(context, { ownerId: id, what: 'orders', part: 'open' }, SECONDS.orders, size, () =>
        context.owners.orders(id),
      ),
    );

const orderHistory: Resolve = (context, call, id) =>
  servePages(
    context,
    call,
    rowSource(context, { ownerId: id, what: 'orders', part: 'history' }, SECONDS.history, PAGE_ROWS, () =>
      context.owners.data.orders(id).historyAt(context.owners.now()),
    ),
  );

const jobs =
  (size?: number): Resolve =>
  (context, call, id) => {
    const all = call.query.get('include_completed') === 'true';
    const key = { ownerId: id, what: 'jobs', part: all ? 'all' : 'open' } as const;
    const make = () => context.owners.data.jobs(id).listAt(context.owners.now(), all);
    return servePages(context, call, rowSource(context, key, SECONDS.jobs, size, make));
  };

const CHARACTER = '/characters/{character_id}';
const CORPORATION = '/corporations/{corporation_id}';
const cache = (seconds: number) => (world: World) => Math.min(seconds, world.ownerCacheSeconds);

const charWallet = { group: 'char-wallet', scope: SCOPES.wallet };
const corpWallet = {
  group: 'corp-wallet',
  scope: SCOPES.corpWallets,
  roles: ['Accountant', 'Junior_Accountant'],
};
const charAsset = { group: 'char-asset', scope: SCOPES.assets };
const corpAsset = { group: 'corp-asset', scope: SCOPES.corpAssets, roles: ['Director'] };
const charOrder = { scope: SCOPES.orders };
const corpOrder = { scope: SCOPES.corpOrders, roles: ['Accountant', 'Trader'] };

const CHARACTER_ROUTES: readonly Route[] = [
  {
    template: `${CHARACTER}/roles`,
    group: 'char-detail',
    scope: SCOPES.roles,
    cache: cache(SECONDS.roles),
    resolve: roles,
  },
  { template: `${CHARACTER}/wallet`, ...charWallet, cache: cache(SECONDS.wallet), resolve: wallet },
  { template: `${CHARACTER}/wallet/journal`, ...charWallet, cache: cache(SECONDS.journal), resolve: journal },
  {
    template: `${CHARACTER}/wallet/transactions`,
    ...charWallet,
    cache: cache(SECONDS.transactions),
    resolve: transactions,
  },
  { template: `${CHARACTER}/assets`, ...charAsset, cache: cache(ASSETS_SECONDS), resolve: assets },
  { template: `${CHARACTER}/assets/names`, method: 'POST', ...charAsset, resolve: assetNames },
  { template: `${CHARACTER}/assets/locations`, method: 'POST', ...charAsset, resolve: assetLocations },
  { template: `${CHARACTER}/orders`, ...charOrder, cache: cache(SECONDS.orders), resolve: openOrders() },
  {
    template: `${CHARACTER}/orders/history`,
    ...charOrder,
    cache: cache(SECONDS.history),
    resolve: orderHistory,
  },
  {
    template: `${CHARACTER}/industry/jobs`,
    group: 'char-industry',
    scope: SCOPES.jobs,
    cache: cache(SECONDS.jobs),
    resolve: jobs(),
  },
];

const CORPORATION_ROUTES: readonly Route[] = [
  { template: `${CORPORATION}/wallets`, ...corpWallet, cache: cache(SECONDS.wallets), resolve: wallets },
  {
    template: `${CORPORATION}/wallets/{division}/journal`,
    ...corpWallet,
    cache: cache(SECONDS.journal),
    resolve: journal,
  },
  {
    template: `${CORPORATION}/wallets/{division}/transactions`,
    ...corpWallet,
    cache: cache(SECONDS.transactions),
    resolve: transactions,
  },
  {
    template: `${CORPORATION}/divisions`,
    group: 'corp-wallet',
    scope: SCOPES.divisions,
    roles: ['Director'],
    cache: cache(SECONDS.divisions),
    resolve: divisions,
  },
  { template: `${CORPORATION}/assets`, ...corpAsset, cache: cache(ASSETS_SECONDS), resolve: assets },
  { template: `${CORPORATION}/assets/names`, method: 'POST', ...corpAsset, resolve: assetNames },
  { template: `${CORPORATION}/assets/locations`, method: 'POST', ...corpAsset, resolve: assetLocations },
  {
    template: `${CORPORATION}/orders`,
    ...corpOrder,
    cache: cache(SECONDS.orders),
    resolve: openOrders(PAGE_ROWS),
  },
  {
    template: `${CORPORATION}/orders/history`,
    ...corpOrder,
    cache: cache(SECONDS.history),
    resolve: orderHistory,
  },
  {
    template: `${CORPORATION}/industry/jobs`,
    group: 'corp-industry',
    scope: SCOPES.corpJobs,
    roles: ['Factory_Manager'],
    cache: cache(SECONDS.jobs),
    resolve: jobs(PAGE_ROWS),
  },
];

/** The routes of characters, corporations and structures. */
export const OWNER_ROUTES: readonly Route[] = [...PUBLIC_ROUTES, ...CHARACTER_ROUTES, ...CORPORATION_ROUTES];
