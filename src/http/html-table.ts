import { html } from 'hono/html';

/** A table with headings. */
export function htmlTable(headings: readonly string[], rows: unknown) {
  return html`<table>
    <thead>
      <tr>
        ${headings.map((heading) => html`<th>${heading}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}
