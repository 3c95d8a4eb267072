import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { type FlakyFault, FlakyStore } from '../../test/support/flaky-store.js';
import { newCacheDirectory, openTestCache } from '../../test/support/test-cache.js';
import { Counters } from '../observe/counters.js';
import { silentLog } from '../observe/log.js';
import type { Digest } from '../oci/digest.js';
import type { Registry } from '../registry/registry.js';
import type { ObjectStore } from '../store/object-store.js';
import { Blobs } from './blobs.js';
import type { DiskCache } from './disk-cache.js';
import { isBlobError } from './errors.js';
import { BLOCK_SIZE } from './grid.js';
import type { OpenBlob } from './open-blob.js';

/**
 * Readers do anything to one blob while the store does anything to its answers, and the memory is
 * small. Whatever they are told: nobody puts together the whole blob from bytes that are not its
 * own; no read hangs; the memory keeps to its budget and can all be used again afterwards.
 */

const KEY = 'blobs/it';

type Step =
  | { readonly kind: 'open' | 'close'; readonly handle: number }
  | {
      readonly kind: 'read';
      readonly handle: number;
      readonly at: number;
      readonly length: number;
    }
  | { readonly kind: 'sequence'; readonly handle: number; readonly length: number }
  /** Let all that was begun come to its end. */
  | { readonly kind: 'settle' };

const fault: fc.Arbitrary<FlakyFault | undefined> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  fc.record({
    kind: fc.constant('refused' as const),
    code: fc.constantFrom('Unavailable' as const, 'Unreachable' as const, 'Timeout' as const),
  }),
  fc.record({ kind: fc.constantFrom('broken' as const, 'short' as const), after: fc.nat(600_000) }),
  fc.record({ kind: fc.constantFrom('long' as const, 'wide' as const, 'retagged' as const) }),
);
const flip = fc.record({ kind: fc.constant('flipped' as const), at: fc.nat(2 ** 21) });

const handle = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('open' as const), handle }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const), handle }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      handle,
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 2 ** 20 })),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('sequence' as const),
      handle,
      length: fc.constantFrom(65_536, 131_072, 1_048_576),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'settle' as const }) },
);

const size = fc.oneof(
  fc.integer({ min: 1, max: 3 * BLOCK_SIZE }),
  fc.integer({ min: 1, max: 24 * BLOCK_SIZE }),
  fc.constantFrom(BLOCK_SIZE, 2 * BLOCK_SIZE + 1, 20 * BLOCK_SIZE),
);

const world = fc.record({
  size,
  chunk: fc.constantFrom(7_000, 65_536, 300_000),
  memory: fc.constantFrom(1, 6 * BLOCK_SIZE, 17 * BLOCK_SIZE, 64 * BLOCK_SIZE),
  steps: fc.array(step, { minLength: 3, maxLength: 25 }),
});

/** Bytes of a blob that depend on its size only. */
function bytesOf(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = length;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** One place, always the same: what candidates there are is not what is tried here. */
function oneObject(store: ObjectStore): Registry {
  const location = { store, key: KEY, source: 'shared' as const };
  const registry: Partial<Registry> = {
    listable: true,
    scope: () => 'all',
    candidates: () => [location],
    located: () => undefined,
    locate: () => Promise.resolve([]),
    succeeded: () => undefined,
    failed: () => undefined,
  };
  return registry as Registry;
}

class World {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly store: FlakyStore;
  readonly blobs: Blobs;
  readonly memory: number;
  readonly #handles = new Map<number, Promise<OpenBlob | undefined>>();
  /** What readers have got since the first of the handles that are open was opened. */
  readonly #got: Buffer;
  readonly #isGot: Uint8Array;
  #gotCount = 0;
  #openCount = 0;
  readonly #running = new Set<Promise<void>>();
  mostMemory = 0;

  constructor(given: { size: number; chunk: number; memory: number }, disk?: DiskCache) {
    this.bytes = bytesOf(given.size);
    this.digest = `sha256:${createHash('sha256').update(this.bytes).digest('hex')}` as Digest;
    this.store = new FlakyStore(KEY, this.bytes, given.chunk);
    this.#got = Buffer.alloc(given.size);
    this.#isGot = new Uint8Array(given.size);
    this.memory = given.memory;
    this.blobs = new Blobs({
      registry: oneObject(this.store),
      memoryBytes: given.memory,
      refreshMs: 0,
      deadlineMs: 20_000,
      disk,
      log: silentLog,
      counters: new Counters(),
    });
  }

  get name() {
    return { repository: 'r', digest: this.digest, size: this.bytes.length };
  }

  async do(step: Step): Promise<void> {
    switch (step.kind) {
      case 'open':
        this.#open(step.handle);
        break;
      case 'close':
        await this.#close(step.handle);
        break;
      case 'read':
        this.#run(this.#read(step.handle, Math.floor(step.at * this.bytes.length), step.length));
        break;
      case 'sequence':
        this.#run(this.#sequence(step.handle, step.length));
        break;
      case 'settle':
        await this.settle();
        break;
    }
  }

  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  async closeAll(): Promise<void> {
    for (const number of [...this.#handles.keys()]) await this.#close(number);
    await this.settle();
  }

  #run(work: Promise<void>): void {
    const running = work.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #open(number: number): void {
    if (this.#handles.has(number)) return;
    this.#openCount++;
    const opening = this.blobs.open(this.name).catch((error: unknown) => {
      if (!isBlobError(error)) throw error;
      this.#openCount--;
      this.#handles.delete(number);
      return undefined;
    });
    this.#handles.set(number, opening);
  }

  /** As a transport: no handle is closed while it is read. */
  async #close(number: number): Promise<void> {
    await this.settle();
    const blob = await this.#handles.get(number);
    if (!blob) return;
    this.#handles.delete(number);
    blob.close();
    if (--this.#openCount > 0) return;
    // The pages of an inode that is not known to be right go when it is opened again.
    this.#isGot.fill(0);
    this.#gotCount = 0;
  }

  async #sequence(number: number, length: number): Promise<void> {
    for (let at = 0; at < this.bytes.length; at += length) {
      if (!(await this.#readOne(number, at, length))) return;
    }
  }

  async #read(number: number, at: number, length: number): Promise<void> {
    await this.#readOne(number, at, length);
  }

  async #readOne(number: number, at: number, length: number): Promise<boolean> {
    const blob = await this.#handles.get(number);
    if (!blob) return false;
    let got: Uint8Array;
    try {
      got = await blob.read(at, length);
    } catch (error) {
      if (!isBlobError(error)) throw error;
      // Longer than any fault here lasts: it hung.
      expect(error.message).not.toContain('took longer');
      return false;
    }
    this.#check(at, length, got);
    return true;
  }

  #check(at: number, length: number, got: Uint8Array): void {
    this.mostMemory = Math.max(this.mostMemory, this.blobs.memoryBytes);
    expect(got.byteLength).toBe(Math.max(0, Math.min(length, this.bytes.length - at)));
    for (let i = 0; i < got.byteLength; i++) {
      const byte = got[i] ?? 0;
      if (this.#isGot[at + i] === 1) {
        // Nobody may see one byte in two ways either.
        if (this.#got[at + i] !== byte) throw new Error(`Byte ${at + i} was read in two ways.`);
        continue;
      }
      this.#isGot[at + i] = 1;
      this.#got[at + i] = byte;
      this.#gotCount++;
    }
    if (this.#gotCount === this.bytes.length && !this.#got.equals(this.bytes)) {
      throw new Error('The whole blob was read, and it is not the right one.');
    }
  }
}

/** All memory can be had again: nothing is held for ever. */
async function expectNothingHeld(world: World): Promise<void> {
  world.store.faults = [];
  const whole = await world.blobs.readAll(world.name);
  expect(Buffer.compare(whole, world.bytes)).toBe(0);
  const blob = await world.blobs.open(world.name);
  for (let at = 0; at < world.bytes.length; at += 100_000) {
    const got = await blob.read(at, 100_000);
    expect(Buffer.compare(got, world.bytes.subarray(at, at + 100_000))).toBe(0);
  }
  expect(blob.close()).toBe(true);
}

const budgetOf = (memory: number) => Math.max(memory, 4 * BLOCK_SIZE);

it('readers get the right bytes of a store that breaks down all the time', async () => {
  await fc.assert(
    fc.asyncProperty(world, fc.array(fault, { maxLength: 20 }), async (given, faults) => {
      const world = new World(given);
      world.store.faults = [...faults];
      for (const one of given.steps) await world.do(one);
      await world.closeAll();
      await expectNothingHeld(world);
      expect(world.mostMemory).toBeLessThanOrEqual(budgetOf(world.memory));
      await world.blobs.close();
    }),
    { numRuns: 20 },
  );
}, 120_000);

it('nobody reads a whole blob of which bits are flipped at times', async () => {
  const faults = fc.array(fc.oneof({ weight: 3, arbitrary: fault }, flip), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(world, faults, async (given, script) => {
      const world = new World(given);
      world.store.faults = [...script];
      for (const one of given.steps) await world.do(one);
      await world.closeAll();
      await expectNothingHeld(world);
      expect(world.mostMemory).toBeLessThanOrEqual(budgetOf(world.memory));
      await world.blobs.close();
    }),
    { numRuns: 20 },
  );
}, 120_000);

it('a cache on the disk, also one that was left half full, brings no wrong bytes', async () => {
  const faults = fc.array(fc.oneof({ weight: 3, arbitrary: fault }, flip), { maxLength: 12 });
  const lives = fc.array(fc.tuple(world, faults), { minLength: 1, maxLength: 3 });
  const partSize = fc.constantFrom(50_000, BLOCK_SIZE, 2 ** 20);
  await fc.assert(
    fc.asyncProperty(lives, partSize, async (given, ofPart) => {
      const directory = await newCacheDirectory();
      for (const [one, script] of given) {
        const { cache } = await openTestCache(directory, { partSize: ofPart });
        const world = new World({ ...one, size: given[0]?.[0].size ?? 1 }, cache);
        world.store.faults = [...script];
        for (const step of one.steps) await world.do(step);
        await world.closeAll();
        if (one.steps.length % 2 === 0) await expectNothingHeld(world);
        await world.blobs.close();
        await cache.close();
      }
    }),
    { numRuns: 25 },
  );
}, 120_000);

it('a blob that was read whole is on the disk, and costs no request after a restart', async () => {
  await fc.assert(
    fc.asyncProperty(size, fc.constantFrom(65_536, 2 ** 20), async (length, ofRead) => {
      const directory = await newCacheDirectory();
      const given = { size: length, chunk: 65_536, memory: 32 * 2 ** 20 };
      for (const life of ['first', 'second']) {
        const { cache } = await openTestCache(directory, { partSize: 2 ** 18 });
        const world = new World(given, cache);
        const blob = await world.blobs.open(world.name);
        if (life === 'second') {
          expect(blob.wasVerified).toBe(true);
          expect(blob.backing).toBeDefined();
        }
        for (let at = 0; at < length; at += ofRead) {
          const got = await blob.read(at, ofRead);
          expect(Buffer.compare(got, world.bytes.subarray(at, at + ofRead))).toBe(0);
        }
        if (life === 'first') {
          await vi.waitFor(async () => {
            const again = await world.blobs.open(world.name);
            const isOnDisk = again.backing !== undefined;
            again.close();
            expect(isOnDisk).toBe(true);
          }, 10_000);
        } else {
          expect(world.store.gets).toEqual([]);
        }
        expect(blob.close()).toBe(true);
        await world.blobs.close();
        await cache.close();
      }
    }),
    { numRuns: 10 },
  );
}, 120_000);

it('fetches no byte twice that there is memory for, whatever the order of reads', async () => {
  const readSteps = fc.array(
    step.filter(({ kind }) => kind !== 'close'),
    { minLength: 1, maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(size, readSteps, async (length, steps) => {
      const world = new World({ size: length, chunk: 65_536, memory: 16 * 2 ** 20 });
      await world.do({ kind: 'open', handle: 0 });
      for (const one of steps) await world.do(one);
      await world.settle();
      const asked = world.store.gets.reduce((sum, get) => sum + get.length, 0);
      expect(asked).toBeLessThanOrEqual(length);
      await world.closeAll();
      await world.blobs.close();
    }),
    { numRuns: 20 },
  );
}, 120_000);
