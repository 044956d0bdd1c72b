import { readFileSync } from 'node:fs';

/** package.json is two folders above `src/app`, and three above `dist/src/app`. */
function readVersion(): string {
  for (const location of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(location, import.meta.url), 'utf8')) as { version: string })
        .version;
    } catch {
      continue;
    }
  }
  return 'unknown';
}

export const VERSION = readVersion();
