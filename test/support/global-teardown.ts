import type { TestServers } from './global-setup.ts';

/** Stops the servers that global-setup.ts started; the watchdog then removes the folder and exits. */
// jest requires a default export here.
// oxlint-disable-next-line import/no-default-export
export default async function globalTeardown(): Promise<void> {
  const servers: TestServers | undefined = globalThis.eveTestServers;
  if (!servers) return;
  await Promise.allSettled(servers.stops.map((stop) => stop()));
  const { watchdog } = servers;
  if (!watchdog || watchdog.exitCode !== null) return;
  const exited = new Promise((resolve) => watchdog.once('exit', resolve));
  watchdog.ref();
  watchdog.stdin?.end('finished');
  await exited;
}
