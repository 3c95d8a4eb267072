import { writeFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { MemoryStore } from '../../../test/support/memory-store.js';
import { emptyLayout, temporaryStateDir } from '../../../test/support/registries.js';
import { Counters } from '../../observe/counters.js';
import { silentLog, type Log } from '../../observe/log.js';
import type { Digest } from '../../oci/digest.js';
import { StoreError } from '../../store/errors.js';
import { isRegistryComponent } from '../names.js';
import { FlatInventory, type FlatInventoryOptions } from './flat-inventory.js';

const A = `sha256:${'a'.repeat(64)}` as Digest;
const KEY = `r/blobs/sha256/${'a'.repeat(64)}`;

function make(store: MemoryStore, options: Partial<FlatInventoryOptions> = {}): FlatInventory {
  return new FlatInventory({
    store,
    root: '',
    rules: { isComponent: isRegistryComponent, ociLayoutOptional: false, blobRoots: new Set() },
    stateDir: options.stateDir ?? temporaryStateDir(),
    refreshMs: 60_000,
    log: silentLog,
    counters: new Counters(),
    ...options,
  });
}

/** A store whose listing waits until it is let go. */
function gatedStore(objects: Record<string, string>) {
  const store = new MemoryStore(objects);
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  store.before = () => gate;
  return { store, open: () => open() };
}

describe('the flat listing', () => {
  test('goes on when a caller gives up, and serves the next one', async () => {
    const { store, open } = gatedStore({ ...emptyLayout('r'), [KEY]: 'x' });
    const inventory = make(store);
    const controller = new AbortController();
    const waiting = inventory.fresh({ signal: controller.signal });
    await vi.waitFor(() => expect(store.count('LIST')).toBe(1));
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'StoreError', code: 'Aborted' });
    await expect(inventory.fresh({ signal: controller.signal })).rejects.toMatchObject({
      code: 'Aborted',
    });
    open();
    expect((await inventory.fresh({})).copies.has(A)).toBe(true);
    expect(store.count('LIST')).toBe(1);
  });

  test('ends when the registry is closed', async () => {
    const controller = new AbortController();
    const store = new MemoryStore(emptyLayout('r'));
    store.pageSize = 1;
    store.before = () => controller.abort(new Error('closed'));
    const inventory = make(store, { signal: controller.signal });
    await expect(inventory.fresh({})).rejects.toMatchObject({ code: 'Aborted' });
    expect(store.count('LIST')).toBe(1);
  });

  test('that failed is not tried again at once, and then is', async () => {
    const store = new MemoryStore(emptyLayout('r'));
    store.before = () => {
      throw new StoreError('Unavailable', 'Slow down.');
    };
    const inventory = make(store, { refreshMs: 50 });
    await expect(inventory.fresh({})).rejects.toThrow('Slow down.');
    await expect(inventory.fresh({})).rejects.toThrow('Slow down.');
    expect(store.count('LIST')).toBe(1);
    store.before = undefined;
    await vi.waitFor(() => inventory.fresh({}));
    expect(store.count('LIST')).toBe(2);
  });

  test('is no unhandled failure when nobody waits any more', async () => {
    const store = new MemoryStore();
    const controller = new AbortController();
    let fail: () => void = () => undefined;
    const failure = new Promise<void>((_, reject) => {
      fail = () => reject(new StoreError('Timeout', 'Too late.'));
    });
    store.before = () => failure;
    const waiting = make(store).fresh({ signal: controller.signal });
    await vi.waitFor(() => expect(store.count('LIST')).toBe(1));
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'Aborted' });
    fail();
    // Vitest fails the run on an unhandled rejection.
    await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test('tells each waiting caller how far it is', async () => {
    const store = new MemoryStore(Object.assign({}, emptyLayout('a'), emptyLayout('b')));
    store.pageSize = 2;
    const seen: number[] = [];
    await make(store).fresh({ onProgress: (keys) => seen.push(keys) });
    expect(seen).toEqual([2, 4]);
  });

  test('is logged while it is slow', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const messages: string[] = [];
      const log: Log = { ...silentLog, info: (_, message) => messages.push(message) };
      const store = new MemoryStore(Object.assign({}, emptyLayout('a'), emptyLayout('b')));
      store.pageSize = 1;
      store.before = () => void vi.advanceTimersByTime(3000);
      await make(store, { log }).fresh({});
      expect(messages.filter((message) => message.startsWith('Still listing'))).toEqual([
        'Still listing the store: 2 keys so far.',
        'Still listing the store: 4 keys so far.',
      ]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('is repeated only after twenty times its duration', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const store = new MemoryStore(emptyLayout('a'));
      store.before = () => void vi.advanceTimersByTime(1000);
      const inventory = make(store, { refreshMs: 5000 });
      await inventory.fresh({});
      vi.advanceTimersByTime(19_000);
      await inventory.fresh({});
      expect(store.count('LIST')).toBe(1);
      vi.advanceTimersByTime(2000);
      await inventory.fresh({});
      expect(store.count('LIST')).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });

  test('is taken anew where the kept one is damaged, with a word in the log', async () => {
    const stateDir = temporaryStateDir();
    const store = new MemoryStore({ [KEY]: 'x' });
    await make(store, { stateDir }).fresh({});
    const [name = ''] = await readdir(join(stateDir, 'inventories'));
    await writeFile(join(stateDir, 'inventories', name), 'garbage');
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (_, message) => warnings.push(message) };
    expect((await make(store, { stateDir, log }).fresh({})).copies.has(A)).toBe(true);
    expect(warnings).toEqual([expect.stringContaining('damaged')]);
    expect(await make(store, { stateDir }).load()).toBe(true);
  });

  test('serves though the state directory cannot be written', async () => {
    const stateDir = temporaryStateDir();
    await writeFile(join(stateDir, 'inventories'), 'in the way');
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (_, message) => warnings.push(message) };
    const store = new MemoryStore({ [KEY]: 'x' });
    expect((await make(store, { stateDir, log }).fresh({})).copies.has(A)).toBe(true);
    expect(warnings.at(-1)).toContain('state directory');
  });
});
