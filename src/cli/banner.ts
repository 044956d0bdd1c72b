export interface BannerData {
  readonly version: string;
  readonly page: string;
  readonly temporalUi: string;
  readonly database: string;
  readonly metrics: string | undefined;
  readonly esi: { readonly ok: boolean; readonly detail: string };
  readonly collecting: readonly string[];
  /** What the collectors ask of ESI against what is allowed; `!` before what does not fit. */
  readonly demand: readonly string[];
  readonly missing: readonly string[];
}

/** What `up` shows when everything runs: one screen, plain words. */
export function startBanner(data: BannerData): string {
  const line = (name: string, value: string) => `  ${name.padEnd(12)}${value}`;
  return [
    '',
    `eve-data-collector ${data.version} is running. Ctrl-C ends it.`,
    '',
    line('page', data.page),
    line('Temporal', data.temporalUi),
    line('database', data.database),
    ...(data.metrics === undefined ? [] : [line('metrics', data.metrics)]),
    line('ESI', data.esi.ok ? data.esi.detail : `out of reach (${data.esi.detail})`),
    '',
    'Collecting',
    ...data.collecting.map((text) => `  ${text}`),
    ...(data.demand.length === 0 ? [] : ['', 'Demand', ...data.demand.map((text) => `  ${text}`)]),
    ...(data.missing.length === 0 ? [] : ['', 'Missing', ...data.missing.map((text) => `  ${text}`)]),
    '',
  ].join('\n');
}

/** A database address without its password. */
export function withoutPassword(address: string): string {
  const url = new URL(address);
  if (url.password !== '') url.password = '***';
  if (url.searchParams.has('password')) url.searchParams.set('password', '***');
  return url.href;
}
