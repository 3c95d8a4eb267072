import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ZOT_STATES,
  unpackZotState,
  type UnpackedState,
  type ZotState,
} from '../../test/fixtures/unpack.js';
import { Counters } from '../observe/counters.js';
import { silentLog } from '../observe/log.js';
import { walkClosure } from '../oci/closure.js';
import type { Descriptor } from '../oci/descriptor.js';
import { parseIndex, parseManifest } from '../oci/document.js';
import { isEmptyDigest } from '../oci/empty.js';
import { digestOf } from '../oci/hash.js';
import { digestParts, parseDigest } from '../oci/digest.js';
import { isStoreError } from '../store/errors.js';
import { LocalStore } from '../store/local/local-store.js';
import type { ObjectStore } from '../store/object-store.js';
import { openRegistry } from './open.js';
import type { BlobLocation, Registry } from './registry.js';

const MAX_BYTES = 1 << 24;

async function readObject({ store, key }: { store: ObjectStore; key: string }) {
  try {
    const { body } = await store.get(key);
    const parts: Uint8Array[] = [];
    for await (const part of body) parts.push(part);
    return Buffer.concat(parts);
  } catch (error) {
    if (isStoreError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** The bytes of a blob as a reader of the registry finds them. */
async function readBlob(
  registry: Registry,
  repository: string,
  descriptor: Descriptor,
): Promise<Buffer | undefined> {
  const { digest, size } = descriptor;
  if (isEmptyDigest(digest)) return Buffer.alloc(0);
  const tryAll = async (locations: readonly BlobLocation[]) => {
    for (const location of locations) {
      const bytes = await readObject(location);
      if (bytes?.length !== size) continue;
      registry.succeeded(location);
      return bytes;
    }
    return undefined;
  };
  return (
    (await tryAll(registry.candidates(repository, digest))) ??
    (await tryAll(await registry.locate(repository, descriptor)))
  );
}

async function repositories(registry: Registry, path = ''): Promise<string[]> {
  const { repository, children } = await registry.list(path);
  const below = await Promise.all(
    children.map((name) => repositories(registry, path === '' ? name : `${path}/${name}`)),
  );
  return [...(repository ? [path] : []), ...below.flat()];
}

describe.each(ZOT_STATES)('bucket %s', (state: ZotState) => {
  let unpacked: UnpackedState;
  let stateDir: string;
  let registry: Registry;
  const counters = new Counters();

  beforeAll(async () => {
    unpacked = await unpackZotState(state);
    stateDir = await mkdtemp(join(tmpdir(), 'layoutfs-state-'));
    registry = await openRegistry({
      store: new LocalStore({ kind: 'file', root: unpacked.directory, prefix: '' }),
      prefix: '',
      stateDir,
      refreshMs: 60_000,
      log: silentLog,
      counters,
    });
  });

  afterAll(async () => {
    await unpacked.remove();
    await rm(stateDir, { recursive: true });
  });

  test('the root is found and says what it is', () => {
    expect(registry.kind).toBe('zot');
    expect(registry.description).toContain(state === 'S4' ? 'at / of' : 'at zot/zot of');
    expect(registry.description.includes('_blobstore')).toBe(state === 'S5');
    expect(registry.warnings).toEqual([]);
  });

  test('its repositories are listed, by directories and by a scan', async () => {
    const wanted = Object.keys(unpacked.expected)
      .filter((name) => unpacked.expected[name]?.absent === false)
      .sort();
    expect((await repositories(registry)).sort()).toEqual(wanted);
    const scan = await registry.scan();
    expect(scan.repositories.map(({ name }) => name).sort()).toEqual(wanted);
  });

  test('every blob of every closure has the bytes of its digest, and only the lost ones have none', async () => {
    for (const [name, expected] of Object.entries(unpacked.expected)) {
      if (expected.absent) continue;
      const index = await registry.readIndex(name, { maxBytes: MAX_BYTES });
      if (index === undefined || index === 'unchanged') throw new Error(`no index of ${name}`);
      expect(createHash('sha256').update(index.bytes).digest('hex')).toBe(expected.index_sha256);
      const closure = await walkClosure(parseIndex(index.bytes).descriptors, async (manifest) => {
        const bytes = await readBlob(registry, name, manifest);
        return bytes === undefined ? undefined : parseManifest(bytes).children;
      });
      const served: string[] = [];
      for (const [descriptor] of closure.blobs.values()) {
        if (descriptor === undefined) continue;
        const bytes = await readBlob(registry, name, descriptor);
        if (bytes === undefined) continue;
        expect(digestOf(digestParts(descriptor.digest).algorithm, bytes)).toBe(descriptor.digest);
        served.push(descriptor.digest);
      }
      expect(served.sort()).toEqual([...expected.blobs].sort());
      const absent = [...closure.blobs.keys()].filter((digest) => !served.includes(digest));
      const excused = [...expected.lost, ...expected.foreign];
      expect(absent.filter((digest) => !excused.includes(digest))).toEqual([]);
    }
  });

  test('a scan names what is lost', async () => {
    const { lost, repositories: scanned } = await registry.scan();
    const placeholders = Object.values(unpacked.expected).flatMap((repository) =>
      repository.placeholders.filter((digest) => {
        const parsed = parseDigest(digest);
        return parsed !== undefined && !isEmptyDigest(parsed);
      }),
    );
    const counted = scanned.reduce((sum, repository) => sum + repository.placeholders, 0);
    expect(counted).toBe(placeholders.length);
    const pairs = lost.flatMap(({ digest, directories }) =>
      directories.map((directory) => `${directory} ${digest}`),
    );
    const missing = Object.entries(unpacked.expected).flatMap(([name, { lost: digests }]) =>
      digests.map((digest) => `${name} ${digest}`),
    );
    expect(pairs).toEqual(expect.arrayContaining(missing));
    if (state !== 'S9') expect(pairs).toEqual([]);
    else expect(new Set(lost.map(({ digest }) => digest)).size).toBe(7);
  });

  test('all that took one flat listing', () => {
    expect(counters.get('registry.flatList')).toBe(1);
  });
});
