import { html, raw } from 'hono/html';
import type { TargetStatus } from '../store/status.ts';
import type { Health } from './health.ts';

export interface PageData {
  readonly health: Health;
  readonly targets: readonly TargetStatus[];
  readonly paused: string | null;
  readonly temporalUi: string | undefined;
  readonly now: Date;
}

const STYLE = `
  :root { color-scheme: light dark; --line: #8884; --ok: #2a8c4a; --warn: #b7791f; --bad: #c53030; }
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; }
  h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
  table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
  td.n { text-align: right; font-variant-numeric: tabular-nums; }
  .ok { color: var(--ok); } .degraded, .late, .torn, .refused, .never, .running { color: var(--warn); } .down, .failing { color: var(--bad); }
  .note { border-left: 4px solid var(--warn); padding: .5rem 1rem; background: #8881; }`;

/** `3 min ago`; what a person wants of a moment. */
export function ago(moment: string | null, now: Date): string {
  if (moment === null) return 'never';
  const seconds = Math.max(0, Math.round((now.getTime() - Date.parse(moment)) / 1_000));
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 36 * 3_600) return `${Math.round(seconds / 3_600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

function checkRows(health: Health) {
  return Object.entries(health.checks).map(
    ([name, { status, detail }]) =>
      html`<tr>
        <td>${name}</td>
        <td class="${status}">${status}</td>
        <td>${detail}</td>
      </tr>`,
  );
}

function targetRows(targets: readonly TargetStatus[], now: Date) {
  return targets.map(
    (t) =>
      html`<tr>
        <td>${t.collector}</td>
        <td>${t.target}</td>
        <td class="${t.state}">${t.state}</td>
        <td class="n">${t.rows.toLocaleString('en')}</td>
        <td>${ago(t.readAt, now)}</td>
        <td>${t.detail}</td>
      </tr>`,
  );
}

function table(names: readonly string[], rows: unknown) {
  return html`<table>
    <thead>
      <tr>
        ${names.map((name) => html`<th>${name}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}

/** The page for the people who run it: what is collected, how fresh, and what is wrong. Reloads every ten seconds. */
export function statusPage({ health, targets, paused, temporalUi, now }: PageData) {
  const note = html`<p class="note">Paused: ${paused}. "eve-collector resume" goes on.</p>`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta http-equiv="refresh" content="10" />
        <title>eve-data-collector</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <h1>eve-data-collector <span class="${health.status}">${health.status}</span></h1>
        ${paused === null ? '' : note} ${table(['part', 'state', ''], checkRows(health))}
        <h2>What is collected</h2>
        ${table(['collector', 'target', 'state', 'rows', 'newest set', ''], targetRows(targets, now))}
        ${temporalUi === undefined ? '' : html`<p>Runs: <a href="${temporalUi}">Temporal</a></p>`}
      </body>
    </html>`;
}
