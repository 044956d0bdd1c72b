import { html } from 'hono/html';
import { detailsForPeople, type TargetStatus } from '../store/target-status.ts';
import type { Health } from './health.ts';
import type { JournalGap } from '../store/sets/journal-gap-store.ts';
import { gapsSection } from './gaps-section.ts';
import { formatAge } from '../lib/format.ts';
import { htmlTable } from './html-table.ts';
import { type OwnersData, ownersSection } from './owners-section.ts';

export interface PageData extends OwnersData {
  readonly health: Health;
  readonly targets: readonly TargetStatus[];
  readonly paused: string | null;
  readonly temporalUi: string | undefined;
  readonly isSimulated: boolean;
  readonly gaps: readonly JournalGap[];
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
  const details = detailsForPeople(targets, 'see below');
  return targets.map(
    (t, i) =>
      html`<tr>
        <td>${t.collector}</td>
        <td>${t.target}</td>
        <td class="${t.state}">${t.state}</td>
        <td class="n">${t.rows.toLocaleString('en')}</td>
        <td>${formatAge(t.readAt, now)}</td>
        <td>${details[i]}</td>
      </tr>`,
  );
}

/** The status page: what is collected, how fresh it is, and what is wrong. Reloads every ten seconds. */
export function statusPage(data: PageData) {
  const { health, targets, paused, temporalUi, isSimulated, now } = data;
  const note = html`<p class="note">
    Paused: no requests are sent to ESI (reason: ${paused}). Run "eve-collector resume" to continue.
  </p>`;
  const demo = html`<p class="note">Demo: ESI is simulated, and nothing here is EVE's data.</p>`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta http-equiv="refresh" content="10" />
        <title>eve-data-collector</title>
        <link rel="stylesheet" href="/style.css" />
      </head>
      <body>
        <h1>eve-data-collector <span class="${health.status}">${health.status}</span></h1>
        ${isSimulated ? demo : ''} ${paused === null ? '' : note}
        ${htmlTable(['check', 'state', ''], checkRows(health))}
        <h2>Collection</h2>
        ${htmlTable(['collector', 'target', 'state', 'rows', 'updated', ''], targetRows(targets, now))}
        ${ownersSection(data)} ${gapsSection(data.gaps)}
        ${temporalUi === undefined ? '' : html`<p><a href="${temporalUi}">Runs in Temporal</a></p>`}
      </body>
    </html>`;
}
