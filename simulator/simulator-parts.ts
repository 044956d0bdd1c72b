import type { Clock } from '../src/lib/clock.ts';
import type { ActiveFaults } from './faults.ts';
import type { HiddenLimit } from './hidden-limit.ts';
import type { LimitUsageMeter } from './limit-usage.ts';
import type { OffenceRecorder } from './offence-recorder.ts';
import type { Owners } from './owners/owners.ts';
import type { Limits } from './rate-limits.ts';
import type { SsoService } from './sso/sso-service.ts';
import type { World } from './world.ts';

/** The parts of one simulator, which its handlers share. */
export interface SimulatorParts {
  world: World;
  activeFaults: ActiveFaults;
  limits: Limits;
  hiddenLimit: HiddenLimit;
  offences: OffenceRecorder;
  limitUsage: LimitUsageMeter;
  clock: Clock;
  latencyMs: number;
  owners: Owners;
  sso: SsoService;
  /** The number of refreshes in progress, by character. */
  refreshesInProgress: Map<number, number>;
}
