import type { AssignmentView } from '../engine/owners/assignment-service.ts';
import type { OwnerService } from '../engine/owners/owner-service.ts';
import type { TokenView } from '../engine/owners/token-service.ts';
import type { Log } from '../lib/log.ts';
import type { RunRow } from '../store/sets/run-list.ts';
import type { TargetStatus } from '../store/target-status.ts';
import type { Health } from './health.ts';
import type { AccessRules } from './security.ts';

/** How everything stands, as the page and the API show it. */
export interface HttpStatus {
  readonly targets: readonly TargetStatus[];
  readonly paused: string | null;
  /** What ESI's own description says otherwise than we shipped with. */
  readonly drifts: readonly { readonly route: string; readonly drift: string; readonly adopted: boolean }[];
  readonly tokens: readonly TokenView[];
  readonly assignments: readonly AssignmentView[];
}

/** Runs as they were, and new ones. */
export interface RunService {
  list(query: {
    collector?: string | undefined;
    target?: string | undefined;
    limit: number;
  }): Promise<RunRow[]>;
  /** Throws AppError UNKNOWN_COLLECTOR and BAD_TARGET. */
  start(collector: string, target: string | undefined): Promise<{ workflowId: string }>;
}

/** How people log in. */
export interface LoginSettings {
  /** ESI_CALLBACK_URL, as it has to be registered with EVE. */
  readonly callbackUrl: string;
  /** Whether an application is set up (ESI_CLIENT_ID). */
  readonly isSet: boolean;
}

/** What the pages and the API show and do; `main` says how it is had. */
export interface HttpSources {
  health(): Promise<Health>;
  status(): Promise<HttpStatus>;
  readonly desk: OwnerService;
  readonly runs: RunService;
  readonly login: LoginSettings;
  readonly access: AccessRules;
  readonly temporalUi: string | undefined;
  readonly log: Log;
}
