import type { OwnerService } from '../../src/engine/owners/owner-service.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type Log, silentLog } from '../../src/lib/log.ts';
import type { Health } from '../../src/http/health.ts';
import type { AccessRules } from '../../src/http/security.ts';
import { createHttpApp } from '../../src/http/server.ts';
import type { HttpSources, HttpStatus } from '../../src/http/http-sources.ts';

const ok = { status: 'ok', detail: 'responds' } as const;
export const HEALTHY: Health = {
  status: 'ok',
  checks: { database: ok, temporal: ok, esi: ok, progress: ok },
};

export const EMPTY_STATUS: HttpStatus = {
  targets: [],
  paused: null,
  drifts: [],
  tokens: [],
  assignments: [],
  gaps: [],
};

export const ACCESS: AccessRules = {
  tokens: [],
  hosts: ['localhost', '127.0.0.1', '[::1]', 'eve.example.com'],
  hostSettings: 'HTTP_HOST or ESI_CALLBACK_URL',
  isPublic: false,
  origin: 'https://eve.example.com',
  ssoOrigin: 'https://login.eveonline.com',
};

const unused = () => Promise.reject(new Error('not used in this test'));

/** An owner service without logins and assignments. */
export const NO_OWNERS: OwnerService = {
  startLogin: unused,
  finishLogin: unused,
  listTokens: async () => [],
  deleteToken: unused,
  enableToken: unused,
  listAssignments: async () => [],
  createAssignment: unused,
  updateAssignment: unused,
  deleteAssignment: unused,
};

/** A log that records its errors, as fields with their message. */
export function recordingLog() {
  const errors: object[] = [];
  const log: Log = {
    ...silentLog,
    error: (fields, message) => void errors.push({ ...fields, message }),
  };
  return { errors, log };
}

/** The HTTP app on the sources that a test gives, and empty ones otherwise. */
export const testApp = (sources: Partial<HttpSources> = {}) =>
  createHttpApp({
    health: async () => HEALTHY,
    status: async () => EMPTY_STATUS,
    owners: NO_OWNERS,
    runs: { list: async () => [], start: unused },
    login: { callbackUrl: 'http://localhost:8080/callback', isSet: true },
    access: ACCESS,
    temporalUi: 'http://127.0.0.1:8233',
    isSimulated: false,
    clock: systemClock,
    log: silentLog,
    ...sources,
  });
