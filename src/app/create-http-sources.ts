import type { Client } from '@temporalio/client';
import { checkOwners } from '../engine/owners/assignment-service.ts';
import { createOwnerService } from '../engine/owners/owner-service.ts';
import type { HttpSources } from '../http/http-sources.ts';
import type { AccessRules } from '../http/security.ts';
import { isLoopback } from '../lib/loopback.ts';
import { listRuns } from '../store/sets/run-list.ts';
import { startRuns } from '../temporal/start-runs.ts';
import type { App } from './create-app.ts';
import type { Config } from './settings.ts';

/** The names of this machine for itself. */
export const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

/** A host to listen on as requests name it. */
export const nameOfHost = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** Who may use the server, and under which host names. */
export function accessRules(config: Config): AccessRules {
  const callback = new URL(config.ESI_CALLBACK_URL);
  return {
    tokens: config.API_TOKEN === undefined ? [] : [config.API_TOKEN],
    hosts: [...LOOPBACK_NAMES, nameOfHost(config.HTTP_HOST), callback.hostname],
    hostSettings: 'HTTP_HOST or ESI_CALLBACK_URL',
    isPublic: config.API_TOKEN !== undefined && !isLoopback(config.HTTP_HOST),
    origin: callback.origin,
    ssoOrigin: new URL(config.SSO_BASE_URL).origin,
  };
}

/** What the page and the API read and do, apart from health and status. */
export function webSources(
  config: Config,
  app: App,
  client: Client,
): Pick<HttpSources, 'owners' | 'runs' | 'login' | 'access' | 'clock' | 'log'> {
  return {
    owners: createOwnerService(app),
    runs: {
      list: (query) => listRuns(app.db.pool, query),
      async start(collector, target) {
        const targets = target === undefined ? [] : [target];
        await checkOwners(app, collector, targets);
        const [run] = await startRuns(client, collector, targets);
        return { workflowId: run!.workflowId };
      },
    },
    login: { callbackUrl: config.ESI_CALLBACK_URL, isSet: app.sso !== undefined },
    access: accessRules(config),
    clock: app.clock,
    log: app.log,
  };
}

/** What to say when the callback URL leads to another port of this machine than the page's; empty otherwise. */
export function describeCallbackMismatch(callbackUrl: string, http: string): string[] {
  const callback = new URL(callbackUrl);
  const page = new URL(http);
  if (!isLoopback(callback.hostname) || callback.protocol !== 'http:' || callback.port === page.port)
    return [];
  return [
    `ESI_CALLBACK_URL leads to port ${callback.port || '80'}, but the page is on port ${page.port}: logins cannot complete.`,
    'Set HTTP_PORT or ESI_CALLBACK_URL (and the same callback URL at https://developers.eveonline.com).',
  ];
}
