import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Counters } from '../../src/observe/counters.js';
import { silentLog } from '../../src/observe/log.js';
import { openRegistry, type OpenRegistryOptions } from '../../src/registry/open.js';
import type { Registry } from '../../src/registry/registry.js';
import type { ObjectStore } from '../../src/store/object-store.js';

/** The least that makes a directory a repository, at `path` of a bucket. */
export function emptyLayout(path: string): Record<string, string> {
  const prefix = path === '' ? '' : `${path}/`;
  return {
    [`${prefix}oci-layout`]: '{"imageLayoutVersion":"1.0.0"}',
    [`${prefix}index.json`]: '{"schemaVersion":2,"manifests":null}',
  };
}

/** A state directory that is gone when the test ends. */
export function temporaryStateDir(): string {
  const directory = mkdtempSync(join(tmpdir(), 'layoutfs-state-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Open the registry in a store, with what a test need not choose. */
export function openForTest(
  store: ObjectStore,
  options: Partial<OpenRegistryOptions> = {},
): Promise<Registry> {
  return openRegistry({
    store,
    prefix: '',
    stateDir: options.stateDir ?? temporaryStateDir(),
    refreshMs: 60_000,
    log: silentLog,
    counters: new Counters(),
    ...options,
  });
}

/** Every repository that a walk over the directories comes upon, sorted. */
export async function walkRepositories(registry: Registry, path = ''): Promise<string[]> {
  const { repository, children } = await registry.list(path);
  const found = repository ? [path] : [];
  for (const name of children) {
    found.push(...(await walkRepositories(registry, path === '' ? name : `${path}/${name}`)));
  }
  return found.sort();
}
