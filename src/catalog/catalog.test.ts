import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TamperingStore } from '../../test/support/tampering-store.js';
import { Blobs } from '../blobs/blobs.js';
import { Counters } from '../observe/counters.js';
import type { Log } from '../observe/log.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import { OCI_INDEX, OCI_MANIFEST } from '../oci/media-types.js';
import { openRegistry } from '../registry/open.js';
import { StoreError } from '../store/errors.js';
import { LocalStore } from '../store/local/local-store.js';
import { Catalog } from './catalog.js';

const REFRESH = 100;
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';

let directory: string;
let local: LocalStore;
let store: TamperingStore;
let counters: Counters;
let catalog: Catalog;
let warnings: string[];

/** Store bytes under the shared prefix and describe them. */
async function put(content: string, mediaType: string): Promise<Descriptor> {
  const bytes = Buffer.from(content);
  const encoded = createHash('sha256').update(bytes).digest('hex');
  await local.put(`storage/blobs/sha256/${encoded}`, bytes);
  return { digest: `sha256:${encoded}` as Digest, size: bytes.byteLength, mediaType };
}

interface Image {
  readonly manifest: Descriptor;
  readonly layer: Descriptor;
}

async function putImage(name: string): Promise<Image> {
  const layer = await put(`layer of ${name}`, LAYER_TYPE);
  const config = await put(`{"image":"${name}"}`, 'application/vnd.oci.image.config.v1+json');
  const manifest = await put(
    JSON.stringify({ schemaVersion: 2, config, layers: [layer] }),
    OCI_MANIFEST,
  );
  return { manifest, layer };
}

async function putIndex(repository: string, manifests: readonly Descriptor[]): Promise<void> {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }));
  await local.put(`${repository}/index.json`, bytes);
}

async function openCatalog(): Promise<void> {
  const note = (_fields: unknown, message: string) => void warnings.push(message);
  const log: Log = { debug: () => undefined, info: () => undefined, warn: note, error: note };
  const shared = { log, counters, refreshMs: REFRESH, deadlineMs: 3000, memoryBytes: 2 ** 24 };
  const registry = await openRegistry({ ...shared, store, prefix: '', stateDir: directory });
  const blobs = new Blobs({ ...shared, registry });
  const selection = { accepts: () => true, mayContain: () => true };
  catalog = new Catalog({ ...shared, registry, blobs, selection });
  store.forget();
}

const indexGets = () => store.gets.filter(({ key }) => key.endsWith('index.json')).length;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'layoutfs-catalog-'));
  local = new LocalStore({ kind: 'file', root: directory, prefix: '' });
  store = new TamperingStore(local);
  counters = new Counters();
  warnings = [];
  await local.put('r/oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

describe('index.json', () => {
  it('is read once within the refresh interval, then revalidated without its bytes', async () => {
    await putIndex('r', []);
    await openCatalog();
    const first = await catalog.index('r');
    expect(await catalog.index('r')).toBe(first);
    expect(indexGets()).toBe(1);
    await sleep(REFRESH + 20);
    expect(await catalog.index('r')).toBe(first);
    expect(indexGets()).toBe(2);
    expect(counters.get('catalog.indexRead')).toBe(1);
  });

  it('costs nothing while nobody asks', async () => {
    await putIndex('r', []);
    await openCatalog();
    await catalog.index('r');
    store.forget();
    await sleep(3 * REFRESH);
    expect(store.gets).toHaveLength(0);
    expect(store.lists).toHaveLength(0);
  });

  it('gets one GET however many ask at once', async () => {
    await putIndex('r', []);
    await openCatalog();
    await Promise.all(Array.from({ length: 20 }, () => catalog.index('r')));
    expect(indexGets()).toBe(1);
  });

  it('has another mtime in each version, even within one second', async () => {
    const { manifest } = await putImage('one');
    await putIndex('r', []);
    await openCatalog();
    const before = await catalog.index('r');
    await putIndex('r', [manifest]);
    await sleep(REFRESH + 20);
    const after = await catalog.index('r');
    expect(after?.version).not.toBe(before?.version);
    expect(after?.mtime).not.toBe(before?.mtime);
  });

  it('is served stale while the store fails, and said so once', async () => {
    await putIndex('r', []);
    await openCatalog();
    const before = await catalog.index('r');
    store.beforeGet = () => {
      throw new StoreError('Unreachable', 'Nobody answers.');
    };
    for (let i = 0; i < 2; i++) {
      await sleep(REFRESH + 20);
      expect(await catalog.index('r')).toBe(before);
    }
    expect(catalog.staleRepositories()).toEqual(['r']);
    expect(warnings.filter((line) => line.includes('stale'))).toHaveLength(1);
    store.beforeGet = () => undefined;
    await sleep(REFRESH + 20);
    await catalog.index('r');
    expect(catalog.staleRepositories()).toEqual([]);
  });

  it('is an error when the store fails and no version was ever read', async () => {
    await putIndex('r', []);
    await openCatalog();
    store.beforeGet = () => {
      throw new StoreError('Unavailable', 'Slow down.');
    };
    await expect(catalog.index('r')).rejects.toThrow('Slow down.');
  });

  it('is shown as stored when it is broken, with the blobs of the last good version', async () => {
    const { manifest, layer } = await putImage('one');
    await putIndex('r', [manifest]);
    await openCatalog();
    await catalog.index('r');
    await local.put('r/index.json', Buffer.from('{"schemaVersion":2,"manif'));
    await sleep(REFRESH + 20);
    const broken = await catalog.index('r');
    expect(Buffer.from(broken?.bytes ?? []).toString()).toBe('{"schemaVersion":2,"manif');
    expect(await catalog.find('r', layer.digest)).toMatchObject({ size: layer.size });
  });

  it('is never shown empty: the last good version stands in', async () => {
    const { manifest } = await putImage('one');
    await putIndex('r', [manifest]);
    await openCatalog();
    const good = await catalog.index('r');
    await local.put('r/index.json', new Uint8Array());
    await sleep(REFRESH + 20);
    expect(await catalog.index('r')).toBe(good);
  });
});

describe('membership', () => {
  it('finds a layer by reading only the manifest that was looked up before it', async () => {
    const images = await Promise.all(['one', 'two', 'three', 'four'].map(putImage));
    await putIndex(
      'r',
      images.map((image) => image.manifest),
    );
    await openCatalog();
    const third = await putImage('three');
    expect(await catalog.find('r', third.manifest.digest)).toBeDefined();
    expect(await catalog.find('r', third.layer.digest)).toBeDefined();
    expect(counters.get('catalog.manifestRead')).toBe(1);
  });

  it('finds a layer whose manifest nobody asked for', async () => {
    const one = await putImage('one');
    const two = await putImage('two');
    const nested = await put(
      JSON.stringify({ schemaVersion: 2, manifests: [two.manifest] }),
      OCI_INDEX,
    );
    await putIndex('r', [one.manifest, nested]);
    await openCatalog();
    expect(await catalog.find('r', two.layer.digest)).toMatchObject({ size: two.layer.size });
  });

  it('does not know a blob that is stored but not referred to', async () => {
    const one = await putImage('one');
    const two = await putImage('two');
    await putIndex('r', [one.manifest]);
    await openCatalog();
    expect(await catalog.find('r', two.layer.digest)).toBeUndefined();
  });

  it('reads each manifest once, and lists again without a request', async () => {
    const images = await Promise.all(['one', 'two', 'three'].map(putImage));
    await putIndex(
      'r',
      images.map((image) => image.manifest),
    );
    await openCatalog();
    expect(await catalog.list('r')).toHaveLength(9);
    expect(store.gets).toHaveLength(4);
    store.forget();
    expect(await catalog.list('r')).toHaveLength(9);
    expect(store.gets).toHaveLength(0);
    expect(store.heads).toHaveLength(0);
  });

  it('still finds what a superseded version had, and forgets it in listings', async () => {
    const one = await putImage('one');
    const two = await putImage('two');
    await putIndex('r', [one.manifest]);
    await openCatalog();
    await catalog.index('r');
    await putIndex('r', [two.manifest]);
    await sleep(REFRESH + 20);
    expect(await catalog.find('r', one.layer.digest)).toMatchObject({ size: one.layer.size });
    const listed = await catalog.list('r');
    expect(listed.map((blob) => blob.digest)).not.toContain(one.layer.digest);
    expect(listed.map((blob) => blob.digest)).toContain(two.layer.digest);
  });

  it('reads the index again before it calls a digest unknown', async () => {
    const one = await putImage('one');
    const two = await putImage('two');
    await putIndex('r', [one.manifest]);
    await openCatalog();
    await catalog.index('r');
    await putIndex('r', [two.manifest]);
    // The refresh interval is not over, but whoever asks for two must have seen the new index.
    await sleep(REFRESH - 60);
    expect(await catalog.find('r', two.manifest.digest)).toBeDefined();
  });

  it('takes the stored size where descriptors disagree', async () => {
    const { manifest } = await putImage('one');
    await putIndex('r', [{ ...manifest, size: manifest.size + 1 }, manifest]);
    await openCatalog();
    expect(await catalog.find('r', manifest.digest)).toMatchObject({ size: manifest.size });
    expect(store.heads).toHaveLength(0);
  });

  it('leaves out a manifest that is absent, and shows the rest', async () => {
    const { manifest } = await putImage('one');
    const absent = { ...manifest, digest: `sha256:${'d'.repeat(64)}` as Digest };
    await putIndex('r', [absent, manifest]);
    await openCatalog();
    const digests = (await catalog.list('r')).map((blob) => blob.digest);
    expect(digests).toContain(manifest.digest);
    expect(digests).not.toContain(absent.digest);
  });

  it('fails a listing rather than show part of it when the store fails', async () => {
    const { manifest } = await putImage('one');
    await putIndex('r', [manifest]);
    await openCatalog();
    await catalog.index('r');
    store.beforeGet = () => {
      throw new StoreError('Unavailable', 'Slow down.');
    };
    await expect(catalog.list('r')).rejects.toMatchObject({ code: 'unavailable' });
    store.beforeGet = () => undefined;
    expect(await catalog.list('r')).toHaveLength(3);
  });
});

describe('an index that is asked for before the directory is listed', () => {
  const LAYOUT = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
  const names = ['s', 't', 'u', 'v', 'w'];
  const early = () => store.gets.map(({ key }) => key);

  beforeEach(async () => {
    await putIndex('r', []);
    for (const name of names) {
      await local.put(`${name}/oci-layout`, LAYOUT);
      await putIndex(name, []);
    }
    await openCatalog();
    await catalog.hasChild('', 'r');
    store.forget();
  });

  it('comes while the store is listing, by the one GET that it costs anyway', async () => {
    store.beforeList = () => expect.poll(early).toEqual(['s/index.json']);
    expect(await catalog.hasChild('', 's')).toBe(true);
    expect(await catalog.index('s')).toMatchObject({ repository: 's' });
    expect(store.lists.map((list) => list.prefix)).toEqual(['s/']);
    expect(early()).toEqual(['s/index.json']);
  });

  it('is asked for in vain only twice, whatever is visited', async () => {
    expect(await Promise.all(names.map((name) => catalog.hasChild('', name)))).toEqual(
      names.map(() => true),
    );
    expect(early()).toEqual(['s/index.json', 't/index.json']);
  });

  it('is not asked for where the last visit met no repository, nor at another depth', async () => {
    await local.put('space/deep/oci-layout', LAYOUT);
    await putIndex('space/deep', []);
    expect(await catalog.hasChild('', 'space')).toBe(true);
    expect(early()).toEqual(['space/index.json']);
    await catalog.hasChild('', 's');
    await catalog.hasChild('space', 'deep');
    expect(early()).toEqual(['space/index.json']);
  });

  it('makes no repository of a directory that is none', async () => {
    await putIndex('half', []);
    await local.put('half/other/oci-layout', LAYOUT);
    await catalog.hasChild('', 'half');
    expect(early()).toEqual(['half/index.json']);
    await sleep(REFRESH + 20);
    expect(await catalog.isRepository('half')).toBe(false);
  });

  it('is not believed when it was asked for before a refresh', async () => {
    const { manifest } = await putImage('one');
    store.beforeList = async () => {
      await expect.poll(early).toEqual(['s/index.json']);
      await putIndex('s', [manifest]);
      catalog.refresh();
    };
    await catalog.hasChild('', 's');
    expect((await catalog.index('s'))?.descriptors).toHaveLength(1);
  });

  it('fails as any other read of it, and is read again by whoever comes next', async () => {
    store.beforeGet = () => {
      throw new StoreError('Unavailable', 'Slow down.');
    };
    expect(await catalog.hasChild('', 's')).toBe(true);
    store.beforeGet = () => undefined;
    await expect.poll(() => catalog.index('s').catch(() => undefined)).toBeDefined();
  });
});

describe('directories', () => {
  it('costs one LIST of the child to find it, and none for what is unknown a moment later', async () => {
    await putIndex('r', []);
    await openCatalog();
    await sleep(REFRESH + 20);
    expect(await catalog.hasChild('', 'r')).toBe(true);
    expect(await catalog.isRepository('r')).toBe(true);
    expect(store.lists.map((list) => list.prefix)).toEqual(['r/']);
    expect(await catalog.hasChild('', 'absent')).toBe(false);
    const listed = store.lists.length;
    expect(await catalog.hasChild('', 'absent')).toBe(false);
    expect(await catalog.hasChild('r', 'manifest.json')).toBe(false);
    expect(await catalog.hasChild('r', '.umoci-123')).toBe(false);
    expect(store.lists).toHaveLength(listed);
  });

  it('costs nothing what was seen when the source was opened, while that is fresh', async () => {
    await putIndex('r', []);
    await openCatalog();
    expect((await catalog.directory('')).children).toEqual(['r']);
    expect(await catalog.isRepository('r')).toBe(true);
    expect(store.lists).toEqual([]);
    await sleep(REFRESH + 20);
    expect((await catalog.directory('')).children).toEqual(['r']);
    expect(store.lists.map((list) => list.prefix)).toEqual(['']);
  });

  it('does not believe what was seen at the opening once it is to be asked for anew', async () => {
    await putIndex('r', []);
    await openCatalog();
    await local.put('s/oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
    await putIndex('s', []);
    catalog.refresh();
    expect((await catalog.directory('')).children).toEqual(['r', 's']);
    await openCatalog();
    await local.delete('r/oci-layout');
    await catalog.refreshRepository('r');
    expect((await catalog.directory('r')).repository).toBe(false);
  });

  it('drops a namespace without repositories from its parent once it was visited', async () => {
    await putIndex('r', []);
    await local.put('stray/blobs/sha256/' + 'e'.repeat(64), Buffer.from('x'));
    await openCatalog();
    expect((await catalog.directory('')).children).toEqual(['r', 'stray']);
    await catalog.directory('stray');
    expect((await catalog.directory('')).children).toEqual(['r']);
  });

  it('is served from an old listing while the store fails', async () => {
    await putIndex('r', []);
    await openCatalog();
    await catalog.directory('');
    store.beforeList = () => {
      throw new StoreError('Unreachable', 'Nobody answers.');
    };
    await sleep(REFRESH + 20);
    expect((await catalog.directory('')).children).toEqual(['r']);
  });
});
