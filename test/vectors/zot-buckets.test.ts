import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type UnpackedState, unpackZotState, ZOT_STATES } from '../fixtures/unpack.js';
import { TreeView } from '../support/tree-view.js';

/** Buckets that a real zot wrote, read exactly as their expected.json says. */
describe.each(ZOT_STATES)('the zot bucket %s', (state) => {
  let unpacked: UnpackedState;
  let view: TreeView;

  beforeAll(async () => {
    unpacked = await unpackZotState(state);
    view = await TreeView.open(`file://${unpacked.directory}`);
  });

  afterAll(async () => {
    await view.close();
    await unpacked.remove();
  });

  it('shows the repositories that the registry has', async () => {
    const expected = Object.entries(unpacked.expected)
      .filter(([, repository]) => !repository.absent)
      .map(([name]) => name)
      .sort();
    expect(await view.repositories()).toEqual(expected);
  });

  it('serves index.json byte for byte', async () => {
    for (const [name, repository] of Object.entries(unpacked.expected)) {
      if (repository.absent) continue;
      const bytes = await view.read(`${name}/index.json`);
      expect(createHash('sha256').update(bytes).digest('hex'), name).toBe(repository.index_sha256);
    }
  });

  it('lists the closure of each repository, with its sizes', async () => {
    for (const [name, repository] of Object.entries(unpacked.expected)) {
      if (repository.absent) continue;
      const listed: Record<string, number> = {};
      for (const algorithm of await view.list(`${name}/blobs`)) {
        const sizes = await view.listSizes(`${name}/blobs/${algorithm}`);
        for (const [encoded, size] of Object.entries(sizes)) {
          listed[`${algorithm}:${encoded}`] = size;
        }
      }
      const mayBeListed = [...repository.lost, ...repository.foreign];
      const certain = Object.keys(listed).filter((digest) => !mayBeListed.includes(digest));
      expect(certain.sort(), name).toEqual([...repository.blobs].sort());
      for (const [digest, size] of Object.entries(listed)) {
        if (repository.foreign.includes(digest)) continue;
        expect(size, `${name} ${digest}`).toBe(repository.sizes[digest]);
      }
    }
  });

  it('serves every blob with the bytes of its digest, and no lost one', async () => {
    for (const [name, repository] of Object.entries(unpacked.expected)) {
      for (const digest of repository.blobs) {
        const [algorithm = '', encoded = ''] = digest.split(':');
        const bytes = await view.read(`${name}/blobs/${algorithm}/${encoded}`);
        const hash = createHash(algorithm).update(bytes).digest('hex');
        expect(hash, `${name} ${digest}`).toBe(encoded);
      }
      for (const digest of [...repository.lost, ...repository.foreign]) {
        const path = `${name}/blobs/${digest.replace(':', '/')}`;
        expect(await view.outcome(path), path).toBe('ENOENT');
      }
    }
  });

  it('leaves lost blobs out of listings once they are known, and names them', async () => {
    const lost = new Set<string>();
    for (const [name, repository] of Object.entries(unpacked.expected)) {
      for (const digest of repository.lost) {
        const [algorithm = '', encoded = ''] = digest.split(':');
        expect(await view.list(`${name}/blobs/${algorithm}`)).not.toContain(encoded);
        lost.add(`${name} ${digest}`);
      }
    }
    const named = view.log
      .filter(
        (line) => line.level === 'warn' && line.message.startsWith('A referenced blob is lost'),
      )
      .map(({ fields }) => `${String(fields['repository'])} ${String(fields['digest'])}`);
    expect(new Set(named)).toEqual(lost);
  });
});
