import type { AssignmentView } from '../engine/owners/assignment-service.ts';
import type { OwnerService } from '../engine/owners/owner-service.ts';
import type { TokenView } from '../engine/owners/token-service.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { JournalGap } from '../store/sets/journal-gap-store.ts';
import type { RunRow } from '../store/sets/run-list.ts';
import type { TargetStatus } from '../store/target-status.ts';
import type { Health } from './health.ts';
import type { AccessRules } from './security.ts';

/** The state of the collection, as the page and the API show it. */
export interface HttpStatus {
  readonly targets: readonly TargetStatus[];
  readonly paused: string | null;
  /** Differences between ESI's own description of its limits and those of this release. */
  readonly drifts: readonly { readonly route: string; readonly drift: string; readonly adopted: boolean }[];
  readonly tokens: readonly TokenView[];
  readonly assignments: readonly AssignmentView[];
  /** Gaps of wallet journals that nobody has accepted. */
  readonly gaps: readonly JournalGap[];
}

/** Lists runs and starts new ones. */
export interface RunService {
  list(query: {
    collector?: string | undefined;
    target?: string | undefined;
    limit: number;
  }): Promise<RunRow[]>;
  /** Throws AppError UNKNOWN_COLLECTOR, BAD_TARGET and UNKNOWN_OWNER. */
  start(collector: string, target: string | undefined): Promise<{ workflowId: string }>;
}

/** How characters log in. */
export interface LoginSettings {
  /** ESI_CALLBACK_URL, as it must be registered with EVE. */
  readonly callbackUrl: string;
  /** Whether an SSO application is set (ESI_CLIENT_ID). */
  readonly isSet: boolean;
}

/** What the pages and the API read and do. src/app provides it. */
export interface HttpSources {
  health(): Promise<Health>;
  status(): Promise<HttpStatus>;
  readonly owners: OwnerService;
  readonly runs: RunService;
  readonly login: LoginSettings;
  readonly access: AccessRules;
  readonly temporalUi: string | undefined;
  /** Whether ESI is simulated, as in the demo. */
  readonly isSimulated: boolean;
  readonly clock: Clock;
  readonly log: Log;
}
