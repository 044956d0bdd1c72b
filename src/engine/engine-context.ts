import type { EsiRequest, EsiResponse } from '../esi/esi-request.ts';
import type { SdeClient } from '../esi/sde-client.ts';
import type { Clock } from '../lib/clock.ts';
import type { ExactInt } from '../lib/exact-int.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Cipher } from '../secrets/cipher.ts';
import type { SsoClient } from '../sso/sso-client.ts';
import type { Database } from '../store/database.ts';
import type { Retention } from '../store/maintenance.ts';
import type { SnapshotCache } from './compare/snapshot-cache.ts';

/** What the engine works with. The app creates it from the settings, tests with their own clock and servers. */
export interface EngineContext {
  readonly esi: {
    get(request: EsiRequest): Promise<EsiResponse>;
    post(request: EsiRequest & { readonly ids: readonly ExactInt[] }): Promise<EsiResponse>;
    /** Whether ESI's last answer was a failure, within the last hour. */
    isFailing(): boolean;
  };
  readonly sde: SdeClient;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The published rows that this process knows. */
  readonly snapshots: SnapshotCache;
  readonly settings: EngineSettings;
  readonly cipher: Cipher;
  /** EVE's login server; undefined while no SSO application is configured (ESI_CLIENT_ID). */
  readonly sso: SsoClient | undefined;
}

export interface EngineSettings {
  /** Region ids, or `all`. */
  readonly marketRegions: readonly number[] | 'all';
  readonly universeSource: 'sde' | 'esi';
  /** Our own limit of requests per minute, which bounds how fast a snapshot can be read. */
  readonly esiRateLimit: number;
  readonly compatibilityDate: string;
  readonly retention: Retention;
}

/** How a step sends heartbeats, and is cancelled. */
export interface StepContext {
  readonly signal?: AbortSignal;
  readonly heartbeat?: (detail?: unknown) => void;
  /** Priority of its requests, from 1 (a person waits) to 5. */
  readonly priority?: number;
}
