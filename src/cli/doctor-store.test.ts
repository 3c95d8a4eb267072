import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalBucket, localBucket } from '../../test/support/local-bucket.js';
import { StoreError } from '../store/errors.js';
import type { ObjectStore } from '../store/object-store.js';
import { examineStore } from './doctor-store.js';

let bucket: LocalBucket;
beforeAll(async () => {
  bucket = await localBucket({
    'zot/a/blobs/sha256/x': 'a blob',
    'zot/a/index.json': '{"manifests":[]}',
    'other/index.json': '{}',
  });
});
afterAll(() => bucket.remove());

/** The local store, of which some verbs answer otherwise. */
async function examine(changed: Partial<ObjectStore>, prefix = 'zot'): Promise<string[]> {
  const { store } = bucket;
  const bent: ObjectStore = {
    name: 's3://bucket',
    capabilities: store.capabilities,
    list: (options) => store.list(options),
    get: (key, options) => store.get(key, options),
    head: (key, signal) => store.head(key, signal),
    close: () => store.close(),
    ...changed,
  };
  const findings = await examineStore({ store: bent, prefix });
  return findings.map(({ check, state, message }) => `${state} ${check}: ${message}`);
}

const denied = () => Promise.reject(new StoreError('AccessDenied', 'No.'));
const well = {
  list: 'ok list: s3://bucket may be listed.',
  archive: 'ok archive: None of the first 2 objects is archived.',
  read: 'ok read: A range of zot/a/index.json can be read.',
  conditions: 'ok conditional GET: If-None-Match and If-Match are honoured.',
  head: 'ok head: HEAD is allowed.',
};

it('a store that may do everything', async () => {
  expect(await examine({})).toEqual(Object.values(well));
});

it('without LIST', async () => {
  expect(await examine({ list: denied })).toEqual([
    'warn list: s3://bucket refuses LIST: allow s3:ListBucket, or open repositories by name only.',
    expect.stringMatching(/^warn read: Whether objects may be read was not found out.*GetObject/),
  ]);
});

it('without HEAD, which mounts do not need', async () => {
  expect(await examine({ head: denied })).toEqual(
    Object.values({ ...well, head: 'warn head: HEAD is refused; mounts do not need it.' }),
  );
});

it('without GET nothing can be read', async () => {
  expect(await examine({ get: denied })).toEqual([
    well.list,
    well.archive,
    'fail read: GET of zot/a/index.json is refused: allow s3:GetObject, or nothing can be read.',
  ]);
});

it('archived objects are counted and named', async () => {
  const list: ObjectStore['list'] = async (options) => {
    const page = await bucket.store.list(options);
    const objects = page.objects.map((object) =>
      object.key.includes('/blobs/') ? { ...object, storageClass: 'DEEP_ARCHIVE' } : object,
    );
    return { ...page, objects };
  };
  expect(await examine({ list })).toContain(
    'warn archive: 1 of the first 2 objects are archived, such as zot/a/blobs/sha256/x (DEEP_ARCHIVE): reading them fails until they are restored.',
  );
});

it('a store that ignores ranges and conditions', async () => {
  const get: ObjectStore['get'] = (key) => bucket.store.get(key);
  const findings = await examine({ get });
  expect(findings).toContain(
    'warn read: The store ignores ranges: asked for one byte of zot/a/index.json it sent 16.',
  );
  expect(findings.find((finding) => finding.includes('conditional GET'))).toMatch(
    /^warn .*If-None-Match \(answered 200\).*If-Match \(answered 200\)/,
  );
});

it('a place where nothing is yet', async () => {
  expect(await examine({}, 'nothing')).toEqual([
    well.list,
    expect.stringMatching(/^warn read: .* not found out: nothing is stored there yet\./),
  ]);
});

it('a place of which the first objects are all placeholders', async () => {
  const empty = await localBucket({ 'zot/a/blobs/sha256/x': '' });
  try {
    expect(await examine({ list: (options) => empty.store.list(options) })).toContainEqual(
      expect.stringMatching(/^warn read: .*: the first 1 objects are empty or archived\./),
    );
  } finally {
    await empty.remove();
  }
});

it('a store that fails says so itself', async () => {
  const list = () => Promise.reject(new StoreError('Timeout', 'It took too long.'));
  await expect(examine({ list })).rejects.toThrow('It took too long.');
});
