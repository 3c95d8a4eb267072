import { describe, expect, test } from 'vitest';
import { walkClosure } from './closure.js';
import type { Descriptor } from './descriptor.js';
import type { Digest } from './digest.js';
import { OCI_INDEX, OCI_MANIFEST } from './media-types.js';

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const digest = (name: string): Digest =>
  `sha256:${Buffer.from(name).toString('hex').padEnd(64, '0')}` as Digest;
const node = (name: string, mediaType = LAYER, size = 10): Descriptor => ({
  digest: digest(name),
  size,
  mediaType,
});
const index = (name: string): Descriptor => node(name, OCI_INDEX);
const manifest = (name: string): Descriptor => node(name, OCI_MANIFEST);

/** A graph, and what was asked of it. */
function graphOf(edges: Readonly<Record<string, readonly Descriptor[]>>) {
  const byDigest = new Map(Object.entries(edges).map(([name, to]) => [digest(name), to]));
  const reads: Digest[] = [];
  const read = async (descriptor: Descriptor): Promise<readonly Descriptor[] | undefined> => {
    reads.push(descriptor.digest);
    await Promise.resolve();
    return byDigest.get(descriptor.digest);
  };
  return { reads, read };
}

const names = (map: ReadonlyMap<Digest, unknown>, ...all: string[]): string[] =>
  all.filter((name) => map.has(digest(name)));

describe('the closure', () => {
  test('holds everything below nested indexes, in document order', async () => {
    const { read } = graphOf({
      X: [index('Y'), manifest('M')],
      Y: [manifest('N')],
      M: [node('config'), node('layer')],
      N: [node('layer'), node('other')],
    });
    const { blobs, unread, limited } = await walkClosure([index('X')], read);
    expect([...blobs.keys()]).toEqual(['X', 'Y', 'M', 'N', 'config', 'layer', 'other'].map(digest));
    expect(unread).toEqual([]);
    expect(limited).toBeUndefined();
  });

  test('reads each manifest once, though many tags name it', async () => {
    const { read, reads } = graphOf({ M: [node('layer')] });
    const tags = Array.from({ length: 50 }, (_, tag) => ({ ...manifest('M'), refName: `v${tag}` }));
    await walkClosure(tags, read);
    expect(reads).toEqual([digest('M')]);
  });

  test('ends in a cycle', async () => {
    const { read, reads } = graphOf({ X: [index('Y')], Y: [index('X'), index('Y')] });
    const { blobs } = await walkClosure([index('X')], read);
    expect(blobs.size).toBe(2);
    expect(reads).toHaveLength(2);
  });

  test('goes on where a manifest is missing', async () => {
    const { read } = graphOf({ M: [node('layer')] });
    const { blobs, unread } = await walkClosure([manifest('gone'), manifest('M')], read);
    expect(names(blobs, 'gone', 'M', 'layer')).toEqual(['gone', 'M', 'layer']);
    expect(unread).toEqual([digest('gone')]);
  });

  test('takes unknown types for leaves', async () => {
    const { read, reads } = graphOf({ U: [node('never')] });
    await walkClosure([node('U', 'application/x-unknown+json')], read);
    expect(reads).toEqual([]);
  });

  test.each([
    [4 * 1024 * 1024, true],
    [4 * 1024 * 1024 + 1, false],
    [0, false],
  ])('tries an untyped blob of %i bytes as a manifest: %s', async (size, tried) => {
    const { read } = graphOf({ U: [node('below')] });
    const { blobs } = await walkClosure([node('U', '', size)], read);
    expect(blobs.has(digest('below'))).toBe(tried);
  });

  test('keeps different sizes of one digest visible, each once', async () => {
    const roots = [node('A', LAYER, 1), node('A', LAYER, 2), node('A', LAYER, 1)];
    const { blobs } = await walkClosure(roots, () => Promise.resolve(undefined));
    expect(blobs.get(digest('A'))?.map(({ size }) => size)).toEqual([1, 2]);
  });

  test('excuses a missing blob only where every mention does', async () => {
    const foreign = { ...node('A'), foreign: true };
    const walk = (roots: Descriptor[]) => walkClosure(roots, () => Promise.resolve(undefined));
    const demanded = await walk([foreign, node('A')]);
    const excused = await walk([foreign, foreign]);
    expect(demanded.blobs.get(digest('A'))?.[0]?.foreign).toBeUndefined();
    expect(excused.blobs.get(digest('A'))?.[0]?.foreign).toBe(true);
  });

  test('reads as a manifest what one mention calls so and another does not', async () => {
    const { read } = graphOf({ M: [node('layer')] });
    const { blobs } = await walkClosure([node('M'), manifest('M')], read);
    expect(blobs.has(digest('layer'))).toBe(true);
  });

  test('stops at the depth limit and says so', async () => {
    const { read, reads } = graphOf({ a: [index('b')], b: [index('c')], c: [index('d')] });
    const { blobs, limited } = await walkClosure([index('a')], read, { maxDepth: 2 });
    expect(names(blobs, 'a', 'b', 'c', 'd')).toEqual(['a', 'b', 'c']);
    expect(reads).toHaveLength(2);
    expect(limited).toBe('depth');
  });

  test('stops at the node limit and says so', async () => {
    const roots = Array.from({ length: 20 }, (_, number) => node(`n${number}`));
    const { blobs, limited } = await walkClosure(roots, () => Promise.resolve([]), { maxNodes: 7 });
    expect(blobs.size).toBe(7);
    expect(limited).toBe('nodes');
  });

  test('reads at most so many manifests at once', async () => {
    let running = 0;
    let most = 0;
    const read = async (): Promise<readonly Descriptor[]> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running -= 1;
      return [];
    };
    const roots = Array.from({ length: 40 }, (_, number) => manifest(`m${number}`));
    await walkClosure(roots, read, { concurrency: 5 });
    expect(most).toBe(5);
  });

  test('tells of children before the rest of the level is read', async () => {
    const told: Digest[] = [];
    let finishSlow: (() => void) | undefined;
    const slow = new Promise<void>((resolve) => (finishSlow = resolve));
    const read = async (descriptor: Descriptor): Promise<readonly Descriptor[]> => {
      if (descriptor.digest === digest('fast')) return [node('layer')];
      await slow;
      return [];
    };
    const walk = walkClosure([manifest('slow'), manifest('fast')], read, {
      onDescriptor: ({ digest: one }) => told.push(one),
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(told).toEqual([digest('slow'), digest('fast'), digest('layer')]);
    finishSlow?.();
    await walk;
    expect(told).toHaveLength(3);
  });

  test('ends with the error of a read, and reads nothing more', async () => {
    let reads = 0;
    const read = (): Promise<readonly Descriptor[]> => {
      reads += 1;
      return Promise.reject(new Error('store is down'));
    };
    const roots = Array.from({ length: 10 }, (_, number) => manifest(`m${number}`));
    await expect(walkClosure(roots, read, { concurrency: 1 })).rejects.toThrow('store is down');
    expect(reads).toBe(1);
  });

  test('ends when it is aborted', async () => {
    const controller = new AbortController();
    const read = (): Promise<readonly Descriptor[]> => {
      controller.abort(new Error('enough'));
      return Promise.resolve([]);
    };
    const walk = walkClosure([manifest('M'), manifest('N')], read, {
      signal: controller.signal,
      concurrency: 1,
    });
    await expect(walk).rejects.toThrow('enough');
  });

  test('of one digest with 100,000 lying sizes costs no more than a closure of that length', async () => {
    const roots = Array.from({ length: 100_000 }, (_, size) => node('A', LAYER, size));
    const started = performance.now();
    const { blobs } = await walkClosure(roots, () => Promise.resolve(undefined));
    expect(performance.now() - started).toBeLessThan(5000);
    expect(blobs.get(digest('A'))).toHaveLength(16);
  });
});
