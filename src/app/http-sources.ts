import type { Client } from '@temporalio/client';
import { createOwnerService } from '../engine/owners/owner-service.ts';
import type { AccessRules } from '../http/security.ts';
import type { HttpSources } from '../http/http-sources.ts';
import { listRuns } from '../store/sets/run-list.ts';
import { type Config, isLoopback } from './settings.ts';
import { runNow } from '../cli/run-now.ts';
import type { App } from './create-app.ts';

/** Who may ask, and under which names, by the settings. */
export function accessRules(config: Config): AccessRules {
  const callback = new URL(config.ESI_CALLBACK_URL);
  const host = config.HTTP_HOST.includes(':') ? `[${config.HTTP_HOST}]` : config.HTTP_HOST;
  return {
    token: config.API_TOKEN,
    hosts: ['localhost', '127.0.0.1', '[::1]', host, callback.hostname],
    isPublic: config.API_TOKEN !== undefined && !isLoopback(config.HTTP_HOST),
    origin: callback.origin,
    ssoOrigin: new URL(config.SSO_BASE_URL).origin,
  };
}

/** What page and API do about owners and runs. */
export function webSources(
  config: Config,
  app: App,
  client: Client,
): Pick<HttpSources, 'desk' | 'runs' | 'login' | 'access' | 'log'> {
  return {
    desk: createOwnerService(app),
    runs: {
      list: (query) => listRuns(app.db.pool, query),
      async start(collector, target) {
        const targets = target === undefined ? [] : [target];
        const [started] = await runNow(app, client, collector, targets, { wait: false, quiet: true });
        return { workflowId: started!.workflowId };
      },
    },
    login: { callbackUrl: config.ESI_CALLBACK_URL, isSet: app.sso !== undefined },
    access: accessRules(config),
    log: app.log,
  };
}

/** Where EVE sends people back to has to be here; what is said when it plainly is not. */
export function callbackTrouble(callbackUrl: string, http: string): string[] {
  const [wanted, here] = [new URL(callbackUrl), new URL(http)];
  if (!isLoopback(wanted.hostname) || wanted.protocol !== 'http:' || wanted.port === here.port) return [];
  return [
    `ESI_CALLBACK_URL leads to port ${wanted.port || '80'}, but the page is on ${here.port}: logins do not come back here.`,
    'Set HTTP_PORT or ESI_CALLBACK_URL (and the same at https://developers.eveonline.com).',
  ];
}
