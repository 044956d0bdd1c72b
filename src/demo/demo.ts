import { type Simulator, startSimulator } from '../../simulator/index.ts';
import { DEFAULT_OWNERS } from '../../simulator/owners/options.ts';
import { DEFAULT_CLIENT } from '../../simulator/sso/options.ts';

/** Sets turn over every half minute, so that a visitor sees changes while he looks. */
const CACHE_SECONDS = 30;

/** Two in a hundred orders change at each turn: fifteen times reality, for the same reason. */
const CHURN = 0.02;

/** The five hubs at a tenth of their real size. */
const REGIONS = { 10000002: 42_000, 10000043: 19_000, 10000032: 12_800, 10000030: 7_600, 10000042: 12_700 };

/** Starts the simulated ESI and gives the settings that make the product collect from it. What is set outside wins. */
export async function startDemo(
  environment: NodeJS.ProcessEnv,
): Promise<{ environment: NodeJS.ProcessEnv; simulator: Simulator; close(): Promise<void> }> {
  const owners = { ...DEFAULT_OWNERS, cacheSeconds: CACHE_SECONDS };
  const simulator = await startSimulator({
    regions: REGIONS,
    cacheSeconds: CACHE_SECONDS,
    churn: CHURN,
    owners,
  });
  return {
    environment: {
      DATA_DIR: './data-demo',
      ESI_USER_AGENT: 'eve-data-collector demo (https://localhost)',
      MARKET_ORDERS_INTERVAL: `${CACHE_SECONDS}s`,
      ESI_RATE_LIMIT: '3000', // 94 pages every half minute and to spare; the simulated ESI has ESI's own limits
      ESI_BURST_LIMIT: '100',
      ...environment,
      ESI_BASE_URL: simulator.url,
      SDE_BASE_URL: simulator.sdeUrl,
      SSO_BASE_URL: simulator.ssoUrl,
      ESI_CLIENT_ID: DEFAULT_CLIENT.id,
      ESI_CLIENT_SECRET: DEFAULT_CLIENT.secret,
    },
    simulator,
    close: () => simulator.close(),
  };
}
