import { expect } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreError } from '../../../src/store/errors.js';
import type { Row, Scene } from '../row.js';
import {
  A,
  blobs,
  indexJson,
  IX_M1,
  layout,
  M1,
  M1_ALL,
  M2,
  M2_ALL,
  repository,
  tagged,
} from '../vocabulary.js';

const SOON = { refresh: '20ms' };
const ONE = { blobs: M1_ALL };
const TWO = { blobs: M2_ALL };
const ZERO = new Uint8Array();

const indexOf = async ({ view }: Scene, repository = 'r') =>
  (await view.read(`${repository}/index.json`)).toString();

/** Vectors about what changes while a mount is read. */
export const changeRows: readonly Row[] = [
  {
    vector: '22',
    title: 'index.json breaks and is mended',
    keys: repository('r', IX_M1, ...M1_ALL),
    options: SOON,
    expect: { repositories: { r: ONE } },
    then: [
      { title: 'good', run: (scene) => scene.check({ repositories: { r: ONE } }) },
      {
        title: 'truncated: shown as stored, with the blobs of the last good version',
        run: async (scene) => {
          await scene.change('r/index.json', IX_M1.subarray(0, 60));
          await scene.eventually({ repositories: { r: ONE } });
        },
      },
      {
        title: 'empty: the last version is kept',
        run: async (scene) => {
          await scene.change('r/index.json', ZERO);
          await sleep(50);
          const index = IX_M1.subarray(0, 60);
          await scene.eventually({ repositories: { r: { ...ONE, index } } });
        },
      },
      {
        title: 'mended',
        run: async (scene) => {
          await scene.put(repository('r', [M2], ...M2_ALL));
          await scene.eventually({ files: { 'r/index.json': indexJson(M2) } });
          expect(await scene.view.list('r/blobs/sha256')).toEqual(
            M2_ALL.map(({ path }) => path.slice(7)).sort(),
          );
        },
      },
    ],
  },
  {
    vector: '22',
    title: 'index.json is listed and not there',
    keys: { ...repository('r', IX_M1, ...M1_ALL), ...repository('s', [M2], ...M2_ALL) },
    faults: (store) => {
      store.beforeGet = ({ key }) => {
        if (key === 'r/index.json') throw new StoreError('NotFound', `There is no ${key}.`);
      };
    },
    expect: {
      hidden: ['r/index.json', `r/blobs/${A.path}`],
      files: { 's/index.json': indexJson(M2) },
      ls: { repositories: ['r', 's'] },
    },
    then: [
      {
        title: 'the directory can be read all the same',
        run: async ({ view }) => {
          expect(await view.list('r')).toEqual(['blobs', 'oci-layout']);
          expect(await view.list('r/blobs')).toEqual(['sha256']);
          expect(await view.list('r/blobs/sha256')).toEqual([]);
        },
      },
    ],
  },
  {
    vector: '58',
    title: 'index.json is replaced between LIST and GET',
    keys: repository('r', IX_M1, ...M1_ALL, ...M2_ALL),
    options: SOON,
    expect: {},
    then: [
      {
        title: 'the version of the GET is shown',
        run: async (scene) => {
          scene.store.beforeGet = async ({ key }) => {
            if (key !== 'r/index.json') return;
            scene.store.beforeGet = () => undefined;
            await scene.change(key, indexJson(tagged(M2, 'v2')));
          };
          await scene.check({ repositories: { r: TWO } });
        },
      },
    ],
  },
  {
    vector: '58',
    title: 'index.json is replaced while it is open',
    keys: repository('r', IX_M1, ...M1_ALL),
    options: SOON,
    expect: { repositories: { r: ONE } },
    then: [
      {
        title: 'the open one keeps its bytes, the next one is new, blobs of both are found',
        run: async (scene) => {
          const file = await scene.view.open('r/index.json');
          const begin = await file.read(0, 50);
          await scene.put(repository('r', [tagged(M2, 'v2'), tagged(M2, 'v3')], ...M2_ALL));
          await scene.eventually({
            files: { 'r/index.json': indexJson(tagged(M2, 'v2'), tagged(M2, 'v3')) },
          });
          const end = await file.read(50, 10_000);
          expect(Buffer.concat([begin, end]).toString()).toBe(Buffer.from(IX_M1).toString());
          expect(await scene.view.read(`r/blobs/${A.path}`)).toEqual(A.bytes);
          expect(await scene.view.list('r/blobs/sha256')).not.toContain(A.path.slice(7));
          file.close();
        },
      },
    ],
  },
  {
    vector: '58',
    title: 'a repository is deleted, another appears',
    keys: { ...repository('r', IX_M1, ...M1_ALL), ...repository('s', [M2], ...M2_ALL) },
    options: SOON,
    expect: { repositories: { r: ONE, s: TWO } },
    then: [
      {
        title: 'what is open keeps its bytes, what was deleted is gone, what is new is shown',
        run: async (scene) => {
          await scene.check({ repositories: { r: ONE, s: TWO } });
          const file = await scene.view.open('r/index.json');
          const keys = Object.keys(repository('r', IX_M1, ...M1_ALL));
          for (const key of keys) await scene.change(key, undefined);
          await scene.put(repository('team/new', IX_M1, ...M1_ALL));
          await scene.eventually({ repositories: { s: TWO, 'team/new': ONE }, hidden: ['r'] });
          expect(await file.read(0, 10_000)).toEqual(Buffer.from(IX_M1));
          file.close();
        },
      },
    ],
  },
  {
    vector: '59',
    title: 'index.json is empty, then partial, for a moment',
    keys: repository('r', IX_M1, ...M1_ALL),
    options: SOON,
    expect: { repositories: { r: ONE } },
    then: [
      {
        title: 'an unseen repository is read when its index is complete',
        run: async (scene) => {
          await scene.put({ ...blobs('s', ...M2_ALL), ...layout('s', ZERO) });
          const filled = sleep(200).then(() => scene.change('s/index.json', indexJson(M2)));
          expect(await indexOf(scene, 's')).toBe(Buffer.from(indexJson(M2)).toString());
          await filled;
        },
      },
      {
        title: 'the last good version is kept until the next is complete',
        run: async (scene) => {
          expect(await indexOf(scene)).toBe(Buffer.from(IX_M1).toString());
          const next = indexJson(tagged(M1, 'v1'), tagged(M1, 'v2'));
          await scene.change('r/index.json', ZERO);
          const writing = (async () => {
            await sleep(80);
            await scene.change('r/index.json', next.subarray(0, 40));
            await sleep(120);
            await scene.change('r/index.json', next);
          })();
          const seen = new Set<string>();
          const end = performance.now() + 1500;
          while (performance.now() < end) seen.add(await indexOf(scene));
          await writing;
          const allowed = [IX_M1, next].map((bytes) => Buffer.from(bytes).toString());
          expect([...seen].filter((text) => !allowed.includes(text))).toEqual([]);
          expect(await indexOf(scene)).toBe(allowed[1]);
        },
      },
    ],
  },
];
