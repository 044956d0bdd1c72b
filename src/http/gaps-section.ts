import { html } from 'hono/html';
import type { JournalGap } from '../store/sets/journal-gap-store.ts';
import { htmlTable } from './html-table.ts';

/** Nobody reads a page with more; the CLI lists all. */
const MAX_GAPS = 20;

function gapRow(gap: JournalGap) {
  const wallet = gap.division === null ? '' : `, division ${gap.division}`;
  return html`<tr>
    <td class="n">${gap.id}</td>
    <td>${gap.owner || gap.target}${wallet}</td>
    <td>${gap.afterDate}</td>
    <td>${gap.beforeDate}</td>
    <td class="n">${gap.missingAmount} ISK</td>
  </tr>`;
}

/** The section about gaps of wallet journals, and what to do; nothing where there is none. */
export function gapsSection(gaps: readonly JournalGap[]) {
  if (gaps.length === 0) return '';
  const left = gaps.length - MAX_GAPS;
  return html`<h2>Gaps in wallet journals</h2>
    ${htmlTable(['id', 'wallet', 'after', 'before', 'missing'], gaps.slice(0, MAX_GAPS).map(gapRow))}
    ${left > 0 ? html`<p>And ${left} more: run "eve-collector gaps" to see all.</p>` : ''}
    <p>
      Rows that ESI still lists (30 days) come with the next run unless they are in
      <code>rejected_rows</code>; older ones are lost. <code>eve-collector gaps accept ID</code> acknowledges
      a gap.
    </p>`;
}
