import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Stage } from './stage.js';
import {
  A,
  blobs,
  content,
  json,
  K,
  layout,
  M1,
  M1_ALL,
  manifest,
  named,
  tagged,
  TYPES,
} from './vocabulary.js';

/** Vector 25: an `index.json` of 100,000 tags and a manifest of 20 MB. */

const TAGS = 100_000;
const MIB = 1024 * 1024;
/**
 * The index as bytes, as text and parsed, and its descriptors, before anything is collected; five
 * times the document is far less than one object for each field of it would take.
 */
const MAX_GROWTH = 300 * MIB;

const largeManifest = manifest({
  layers: [A],
  fields: { annotations: { 'org.example.padding': 'x'.repeat(20 * MIB) } },
});

/** As zot writes it, each tag with a manifest of its own; one of them is `M1`. */
function hugeIndex(): Uint8Array {
  const manifests = Array.from({ length: TAGS }, (_, number) => {
    const tag = `v${String(number).padStart(9, '0')}`;
    if (number === TAGS / 2) return tagged(M1, tag);
    const encoded = (number + 1).toString(16).padStart(64, '0');
    return tagged(
      { ...named(new Uint8Array(), `sha256:${encoded}`, TYPES.manifest), size: 500 },
      tag,
    );
  });
  return json({ schemaVersion: 2, manifests });
}

let stage: Stage;

beforeEach(async () => {
  const index = hugeIndex();
  expect(index.length).toBeGreaterThan(21_000_000);
  stage = await Stage.set({
    vector: '25',
    title: 'huge documents',
    keys: {
      ...layout('huge', index),
      ...layout('large', [largeManifest]),
      ...blobs('storage', ...M1_ALL, largeManifest),
    },
    expect: {},
  });
});

afterEach(() => stage.close());

describe('vector 25', () => {
  it('is opened at once: nothing of it is read before somebody asks', async () => {
    const started = performance.now();
    const view = await stage.open();
    expect(await view.list('')).toEqual(['huge', 'large']);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(stage.store.gets).toEqual([]);
  });

  it('is read in bounded time and memory, and its blobs are found without a walk', async () => {
    const view = await stage.open();
    const wanted = stage.stored('huge', 'index.json');
    const before = process.memoryUsage.rss();
    const started = performance.now();
    const read = await view.read('huge/index.json');
    expect(Buffer.compare(read, wanted ?? new Uint8Array())).toBe(0);
    expect(await view.read(`huge/blobs/${M1.path}`)).toEqual(M1.bytes);
    expect(await view.read(`huge/blobs/${A.path}`)).toEqual(A.bytes);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(process.memoryUsage.rss() - before).toBeLessThan(MAX_GROWTH);
    expect(view.counters.get('catalog.manifestRead')).toBe(1);
    expect(view.counters.get('catalog.indexRead')).toBe(1);
  });

  it('streams: a small read of an open index costs no request and no copy of the whole', async () => {
    const view = await stage.open();
    const file = await view.open('huge/index.json');
    stage.store.forget();
    const before = process.memoryUsage().arrayBuffers;
    for (let offset = 0; offset < file.size; offset += MIB) await file.read(offset, 4096);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * MIB);
    expect(stage.store.gets).toEqual([]);
    file.close();
  });

  it('has a manifest of 20 MB that is followed', async () => {
    const view = await stage.open();
    expect(await view.listSizes('large/blobs/sha256')).toEqual(
      Object.fromEntries(
        [largeManifest, K, A].map(({ path, size }) => [path.slice('sha256/'.length), size]),
      ),
    );
    const bytes = await view.read(`large/blobs/${largeManifest.path}`);
    expect(content(bytes).digest).toBe(largeManifest.digest);
  });
});
