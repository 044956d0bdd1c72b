import type { Simulator } from '../../simulator/index.ts';
import { AppError } from '../lib/errors.ts';
import { readMemory } from './demo-memory.ts';

/** Snapshots are renewed every half minute, so that a visitor sees changes. */
const CACHE_SECONDS = 30;

/** Two in a hundred orders change each time: fifteen times as many as in reality, for the same reason. */
const CHURN = 0.02;

/** The default regions: the five trade hubs with a tenth of their real number of orders, and the one of PLEX. */
const REGIONS = {
  10000002: 42_000,
  10000043: 19_000,
  10000032: 12_800,
  10000030: 7_600,
  10000042: 12_700,
  19000001: 400,
};

/** An installed product does not contain the simulator; a checkout does. */
async function loadSimulator() {
  try {
    const [{ startSimulator }, { DEFAULT_OWNERS }, { DEFAULT_CLIENT }] = await Promise.all([
      import('../../simulator/index.ts'),
      import('../../simulator/owners/owner-options.ts'),
      import('../../simulator/sso/sso-options.ts'),
    ]);
    return { startSimulator, DEFAULT_OWNERS, DEFAULT_CLIENT };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new AppError(
      'The simulated ESI is not installed here. Run the demo from a checkout of eve-data-collector: "npm run demo".',
      { code: 'NO_SIMULATOR', verdict: 'fail', cause: error },
    );
  }
}

/** Settings that name a real installation: simulated data must not get there. */
const OF_A_REAL_INSTALLATION =
  /^(DATABASE_URL|TEMPORAL_ADDRESS|TEMPORAL_NAMESPACE|TEMPORAL_API_KEY|TEMPORAL_TLS.*|TOKEN_ENCRYPTION_KEY)$/;

/**
 * Starts the simulated ESI, and gives the environment that makes the product collect from it, on embedded servers and in
 * a folder of its own, where the simulator finds what it remembered. Other settings in `environment` override those of the
 * demo. Throws AppError NO_SIMULATOR.
 */
export async function startDemo(
  environment: NodeJS.ProcessEnv,
): Promise<{ environment: NodeJS.ProcessEnv; simulator: Simulator }> {
  const { startSimulator, DEFAULT_OWNERS, DEFAULT_CLIENT } = await loadSimulator();
  const dataDir = environment['DATA_DIR']?.trim() || './data-demo';
  const simulator = await startSimulator({
    regions: REGIONS,
    cacheSeconds: CACHE_SECONDS,
    churn: CHURN,
    owners: { ...DEFAULT_OWNERS, cacheSeconds: CACHE_SECONDS },
    memory: await readMemory(dataDir),
  });
  return {
    environment: {
      ESI_USER_AGENT: 'eve-data-collector demo (https://localhost)',
      MARKET_ORDERS_INTERVAL: `${CACHE_SECONDS}s`,
      ESI_RATE_LIMIT: '3000', // more than 94 pages every half minute need; the simulated ESI has ESI's own limits
      ESI_BURST_LIMIT: '100',
      ...Object.fromEntries(
        Object.entries(environment).filter(([name]) => !OF_A_REAL_INSTALLATION.test(name)),
      ),
      DATA_DIR: dataDir,
      ESI_BASE_URL: simulator.url,
      SDE_BASE_URL: simulator.sdeUrl,
      SSO_BASE_URL: simulator.ssoUrl,
      ESI_CLIENT_ID: DEFAULT_CLIENT.id,
      ESI_CLIENT_SECRET: DEFAULT_CLIENT.secret,
    },
    simulator,
  };
}
