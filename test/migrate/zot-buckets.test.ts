import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openStore } from '../../src/store/open.js';
import { unpackZotState, ZOT_STATES, type UnpackedState } from '../fixtures/unpack.js';
import { QUICK_DIRECTORY } from '../support/quick-directory.js';
import { digestsWithContent, stateOf } from './support/bucket-state.js';
import { runMigration, runRollback } from './support/runs.js';

let unpacked: UnpackedState | undefined;
afterEach(() => unpacked?.remove());

test.each(ZOT_STATES)(
  'what a real zot wrote goes on a local disk to each layout and back: %s',
  async (state) => {
    unpacked = await unpackZotState(state, QUICK_DIRECTORY);
    const { directory } = unpacked;
    // S4 is zot's own directory, with hard links; the others are buckets, with its double prefix.
    const root = state === 'S4' ? '' : 'zot/zot/';
    const store = await openStore({ kind: 'file', root: directory, prefix: '' });
    // A push to S4 was cut off once.
    const options = { root, ignoreUploads: state === 'S4' };
    const refused = /The repository "storage" lies where/;
    await expect(runMigration(store, 'shared', options)).rejects.toThrow(refused);
    await rename(join(directory, root, 'storage'), join(directory, root, 'warehouse'));
    const before = await stateOf(store, root);
    const had = await digestsWithContent(store, root);
    for (const to of ['shared', 'per-repository'] as const) {
      const { finished, changes } = await runMigration(store, to, options);
      expect(finished).toBe(true);
      expect(await digestsWithContent(store, root)).toEqual(had);
      // On a disk zot keeps whole layouts already.
      const isThere = state === 'S4' && to === 'per-repository';
      expect(changes === 0).toBe(isThere);
      if (isThere) continue;
      expect(await stateOf(store, root)).not.toEqual(before);
      expect((await runRollback(store, options)).finished).toBe(true);
      expect(await stateOf(store, root)).toEqual(before);
    }
  },
);
