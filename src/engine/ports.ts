import type { EsiAnswer, EsiRequest } from '../esi/request.ts';
import type { SdeClient } from '../esi/sde.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Database } from '../store/database.ts';
import type { Retention } from '../store/maintain.ts';
import type { Cipher } from '../vault/cipher.ts';
import type { SsoClient } from '../vault/sso.ts';

/** What the engine works with; `main` builds it, tests build it with their own clock and servers. */
export interface Ports {
  readonly esi: {
    get(request: EsiRequest): Promise<EsiAnswer>;
    post(request: EsiRequest & { readonly ids: readonly number[] }): Promise<EsiAnswer>;
  };
  readonly sde: SdeClient;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: EngineSettings;
  readonly vault: Vault;
}

/** What keeps tokens, and gets them. */
export interface Vault {
  readonly cipher: Cipher;
  /** EVE's login server; absent while no application is set up (ESI_CLIENT_ID). */
  readonly sso: SsoClient | undefined;
}

export interface EngineSettings {
  /** Region ids, or `all`. */
  readonly marketRegions: readonly number[] | 'all';
  readonly universeSource: 'sde' | 'esi';
  /** Requests a minute that we allow ourselves: how long a set takes to read. */
  readonly esiRateLimit: number;
  readonly compatibilityDate: string;
  readonly retention: Retention;
}

/** How a step tells that it lives, and hears that it is to stop. */
export interface StepContext {
  readonly signal?: AbortSignal;
  readonly alive?: (detail?: unknown) => void;
  /** How urgent its requests are: 1 (a person waits) to 5. */
  readonly priority?: number;
}
