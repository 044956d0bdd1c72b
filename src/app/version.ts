import { readFileSync } from 'node:fs';

/** package.json lies two folders up from `src/main`, three from `dist/src/main`. */
function readVersion(): string {
  for (const place of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as { version: string })
        .version;
    } catch {
      continue;
    }
  }
  return 'unknown';
}

export const VERSION = readVersion();
