import { html } from 'hono/html';

/** `3 min ago`; what a person wants of a moment. */
export function ago(moment: string | null, now: Date): string {
  if (moment === null) return 'never';
  const seconds = Math.max(0, Math.round((now.getTime() - Date.parse(moment)) / 1_000));
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 36 * 3_600) return `${Math.round(seconds / 3_600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

/** A table with its headings. */
export function table(names: readonly string[], rows: unknown) {
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
