import { readFileSync } from 'node:fs';

/** The version in our package.json, which lies two directories up in a checkout and a package alike. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
