import {
  appendFile,
  chmod,
  lstat,
  open,
  readdir,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  finish,
  newCacheDirectory,
  openTestCache,
  TEST_PART,
  testContent,
} from '../../../test/support/test-cache.js';
import type { CachedBlob, PartialBlob } from '../disk-cache.js';
import type { LocalDiskCache } from './local-disk-cache.js';
import { ROOMS, type Room, shardPath } from './paths.js';
import { prune } from './prune.js';

/**
 * Several caches over one directory, and somebody who damages its files, do anything in any order.
 * Whatever a cache then answers at `open` has the right bytes; and what was made complete and left
 * alone is answered.
 */

const contents = [
  testContent(300, 1),
  testContent(TEST_PART, 2),
  testContent(2 * TEST_PART + 345, 3),
];
const INSTANCES = 3;

const damages = {
  flip: async (path: string, seed: number) => {
    const file = await open(path, 'r+');
    const { size } = await file.stat();
    const byte = Buffer.alloc(1);
    const at = size === 0 ? 0 : seed % size;
    await file.read(byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ (1 + (seed % 255));
    await file.write(byte, 0, 1, at);
    await file.close();
  },
  truncate: async (path: string, seed: number) => {
    const { size } = await lstat(path);
    await truncate(path, size === 0 ? 0 : seed % size);
  },
  append: (path: string) => appendFile(path, 'more'),
  remove: (path: string) => unlink(path),
  replace: async (path: string, seed: number) => {
    const { size } = await lstat(path);
    await unlink(path);
    await writeFile(path, Buffer.alloc(size, seed), { mode: 0o600 });
  },
  link: async (path: string) => {
    await unlink(path);
    await symlink('/etc/hostname', path);
  },
  open: (path: string) => chmod(path, 0o666),
};
type Damage = keyof typeof damages;

const which = { instance: fc.nat(INSTANCES - 1), content: fc.nat(contents.length - 1) };
const step = fc.oneof(
  fc.record({ kind: fc.constant('read' as const), ...which }),
  fc.record({ kind: fc.constant('hold' as const), ...which }),
  fc.record({ kind: fc.constant('release' as const), ...which }),
  fc.record({ kind: fc.constant('keep' as const), ...which }),
  fc.record({ kind: fc.constant('begin' as const), ...which, part: fc.nat(2) }),
  fc.record({ kind: fc.constant('finish' as const), ...which }),
  fc.record({ kind: fc.constant('leave' as const), ...which }),
  fc.record({ kind: fc.constant('restart' as const), ...which }),
  fc.record({ kind: fc.constant('prune' as const), ...which }),
  fc.record({
    kind: fc.constant('damage' as const),
    ...which,
    room: fc.constantFrom(...ROOMS),
    how: fc.constantFrom(...(Object.keys(damages) as Damage[])),
    seed: fc.nat(1e6),
  }),
);
/** What is not done beside anything else: then it would not be known what is right. */
const ALONE: readonly string[] = ['damage', 'prune', 'restart'];
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

/** The caches, and what is known about them. */
class World {
  readonly directory: string;
  readonly #caches: (Promise<LocalDiskCache> | undefined)[] = [];
  readonly #held = new Map<string, CachedBlob>();
  readonly #partials = new Map<string, PartialBlob>();
  /** Contents that are complete and were left alone since. */
  readonly #sure = new Set<number>();
  hits = 0;

  constructor(directory: string) {
    this.directory = directory;
  }

  async run(step: Step): Promise<void> {
    const { instance, content } = step;
    const key = `${instance}|${content}`;
    const cache = await this.#cache(instance);
    const { name } = this.#content(content);
    switch (step.kind) {
      case 'read':
        return this.#read(await cache.open(name), content);
      case 'hold': {
        const blob = await cache.open(name);
        if (blob === undefined) return;
        this.#held.get(key)?.close();
        this.#held.set(key, blob);
        return;
      }
      case 'release':
        this.#held.get(key)?.close();
        this.#held.delete(key);
        return;
      case 'keep':
      case 'finish': {
        const partial = this.#partials.get(key) ?? (await cache.openPartial(name));
        this.#partials.delete(key);
        if (partial === undefined) return;
        const blob = await finish(partial, this.#content(content));
        if (blob !== undefined) this.#sure.add(content);
        return this.#read(blob, content);
      }
      case 'begin': {
        const partial = this.#partials.get(key) ?? (await cache.openPartial(name));
        if (partial === undefined) return;
        this.#partials.set(key, partial);
        const at = step.part * partial.partSize;
        if (at >= name.size) return;
        const { bytes } = this.#content(content);
        await partial.write(step.part, bytes.subarray(at, at + partial.partSize));
        return;
      }
      case 'leave':
        await this.#partials.get(key)?.close();
        this.#partials.delete(key);
        return;
      case 'restart':
        return this.#restart(instance);
      case 'prune':
        await prune(this.directory, 'all', { dryRun: false });
        this.#sure.clear();
        return;
      case 'damage':
        this.#sure.delete(content);
        return this.#damage(content, step.room, step.how, step.seed);
    }
  }

  /** Everything is answered with the right bytes, or not at all; and can be kept in the end. */
  async check(): Promise<void> {
    for (const instance of this.#caches.keys()) await this.#restart(instance);
    const cache = await this.#cache(0);
    for (const [index, content] of contents.entries()) {
      await this.#read(await cache.open(content.name), index);
      const partial = await cache.openPartial(content.name);
      if (partial !== undefined) await this.#read(await finish(partial, content), index);
    }
  }

  async #read(blob: CachedBlob | undefined, index: number): Promise<void> {
    if (blob === undefined) {
      expect(this.#sure.has(index), `content ${index} was complete`).toBe(false);
      return;
    }
    const { bytes } = this.#content(index);
    const read = Buffer.alloc(bytes.length);
    await blob.read(read, 0);
    blob.close();
    expect(read.equals(bytes), `content ${index} is right`).toBe(true);
    this.hits++;
  }

  async #damage(content: number, room: Room, how: Damage, seed: number): Promise<void> {
    // Later than our own changes by the kernel's clock, which ticks every few ms.
    await new Promise((resolve) => setTimeout(resolve, 12));
    const shard = shardPath(this.directory, room, this.#content(content).name.digest);
    const files = await readdir(shard).catch(() => []);
    for (const file of files) {
      const path = join(shard, file);
      if ((await lstat(path)).isFile()) await damages[how](path, seed);
    }
  }

  async #restart(instance: number): Promise<void> {
    for (const map of [this.#held, this.#partials]) {
      for (const key of map.keys()) if (key.startsWith(`${instance}|`)) map.delete(key);
    }
    await (await this.#caches[instance])?.close();
    this.#caches[instance] = undefined;
  }

  #cache(instance: number): Promise<LocalDiskCache> {
    this.#caches[instance] ??= openTestCache(this.directory).then(({ cache }) => cache);
    return this.#caches[instance];
  }

  #content(index: number) {
    return contents[index] ?? testContent(1);
  }
}

it('never answers wrong bytes, whatever happens to its files', { timeout: 120_000 }, async () => {
  let hits = 0;
  await fc.assert(
    fc.asyncProperty(
      // What is in one group happens at once.
      fc.array(
        fc.oneof(
          fc.array(step, { minLength: 1, maxLength: 1 }),
          fc.array(
            step.filter(({ kind }) => !ALONE.includes(kind)),
            { minLength: 2, maxLength: 4 },
          ),
        ),
        { minLength: 1, maxLength: 25 },
      ),
      async (groups) => {
        const world = new World(await newCacheDirectory());
        for (const group of groups) await Promise.all(group.map((one) => world.run(one)));
        await world.check();
        hits += world.hits;
      },
    ),
    { numRuns: Number(process.env['LAYOUTFS_PROPERTY_RUNS'] ?? 60) },
  );
  expect(hits).toBeGreaterThan(60);
});
