import type { UpSummary } from '../app/up.ts';
import { VERSION } from '../app/version.ts';

/** What `up` prints when everything is running: addresses, what is collected, and what is missing. */
export function formatBanner({
  endpoints,
  callback,
  esi,
  isSimulated,
  schedules,
  capacity,
  missing,
}: UpSummary): string {
  const { http, temporalUi, temporalAddress, temporalNamespace, databaseUrl, metrics } = endpoints;
  const addresses = [
    ['page', http],
    ['callback', callback && `${callback} (EVE redirects logins to it)`],
    ['Temporal', temporalUi ?? `${temporalAddress} (namespace ${temporalNamespace})`],
    ['database', hidePassword(databaseUrl)],
    ['metrics', metrics],
    ['ESI', esi.ok ? esi.detail : `unreachable (${esi.detail})`],
  ].flatMap(([name, value]) => (value ? [`${name!.padEnd(12)}${value}`] : []));
  const demo = isSimulated ? "Demo: ESI is simulated, and nothing here is EVE's data.\n" : '';
  const sections: [string, readonly string[]][] = [
    [`eve-data-collector ${VERSION} is running. Press Ctrl-C to stop it.\n${demo}`, addresses],
    ['Collecting', schedules.map(({ id, description }) => `${id.padEnd(21)}${description}`)],
    ['Capacity', capacity.map(({ fits, collector, text }) => `${fits ? ' ' : '!'} ${collector}: ${text}`)],
    ['Missing', missing],
  ];
  return sections
    .filter(([, lines]) => lines.length > 0)
    .map(([heading, lines]) => `\n${heading}\n${lines.map((line) => `  ${line}\n`).join('')}`)
    .join('');
}

/** A database address without its password. */
export function hidePassword(address: string): string {
  const url = new URL(address);
  if (url.password !== '') url.password = '***';
  if (url.searchParams.has('password')) url.searchParams.set('password', '***');
  return url.href;
}
