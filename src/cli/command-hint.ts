import type { Options } from '../config/options.js';

/** `layoutfs ls` of a source, to be pasted into a shell; `repository` may be a placeholder. */
export function lsCommandLine(source: string, repository?: string): string {
  return commandLine('ls', source, ...(repository === undefined ? [] : [repository]));
}

/** `layoutfs COMMAND` of a source and `words` after it, to be pasted into a shell. */
export function commandLine(command: string, source: string, ...words: string[]): string {
  const config = ZOT_CONFIG.exec(source)?.[1];
  const named = config === undefined ? [source] : ['--zot-config', config];
  return ['layoutfs', command, ...named.map(shellWord), ...words].join(' ');
}

/** How sources that are a zot configuration with several stores are named. */
const ZOT_CONFIG = /^zot-config:(.*)$/s;

/** A word as a shell reads it: quoted where it has characters that mean something there. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * The flags that said which registry below a source is meant, as words of a shell: a line without
 * them could act on another one.
 */
export function registryFlags({
  registry,
  root,
  sharedBlobDir,
}: Pick<Options, 'registry' | 'root' | 'sharedBlobDir'>): string[] {
  const flags = { '--registry': registry, '--root': root, '--shared-blob-dir': sharedBlobDir };
  return Object.entries(flags).flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, shellWord(value)],
  );
}
