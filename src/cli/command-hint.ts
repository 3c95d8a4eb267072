/** `layoutfs ls` of a source, to be pasted into a shell; `repository` may be a placeholder. */
export function lsCommandLine(source: string, repository?: string): string {
  const config = ZOT_CONFIG.exec(source)?.[1];
  const words = config === undefined ? [source] : ['--zot-config', config];
  return [
    'layoutfs',
    'ls',
    ...words.map(shellWord),
    ...(repository === undefined ? [] : [repository]),
  ].join(' ');
}

/** How sources that are a zot configuration with several stores are named. */
const ZOT_CONFIG = /^zot-config:(.*)$/s;

/** A word as a shell reads it: quoted where it has characters that mean something there. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
