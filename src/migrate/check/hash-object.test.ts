import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../../test/support/memory-store.js';
import type { Digest } from '../../oci/digest.js';
import { StoreError } from '../../store/errors.js';
import type { GetOptions, ObjectStore } from '../../store/object-store.js';
import { hashObject } from './hash-object.js';

const TEXT = 'all the bytes of this blob';
const digest = `sha256:${createHash('sha256').update(TEXT).digest('hex')}` as Digest;

/** A store whose bodies break off after `give` bytes, that many times. */
function breaking(objects: Record<string, string>, give: number, times: number) {
  const real = new MemoryStore(objects);
  const gets: GetOptions[] = [];
  let left = times;
  const store: ObjectStore = {
    name: real.name,
    capabilities: real.capabilities,
    list: (options) => real.list(options),
    head: (key) => real.head(key),
    close: () => real.close(),
    async get(key, options = {}) {
      gets.push(options);
      const { info } = await real.get(key);
      if (options.ifMatch !== undefined && options.ifMatch !== info.etag) {
        throw new StoreError('PreconditionFailed', 'It changed.');
      }
      const { offset = 0 } = options.range ?? {};
      const bytes = (real.objects.get(key) ?? Buffer.alloc(0)).subarray(offset);
      const isBroken = left > 0;
      left -= 1;
      const body = (async function* () {
        await Promise.resolve();
        yield isBroken ? bytes.subarray(0, give) : bytes;
        if (!isBroken) return;
        throw new StoreError('Interrupted', 'The body ended early.');
      })();
      const readInto = () => Promise.reject(new Error('not used'));
      return { info, offset, length: bytes.length, body, readInto, cancel: () => undefined };
    },
  };
  return { store, real, gets };
}

describe('hashing an object', () => {
  it('tells right from wrong', async () => {
    const store = new MemoryStore({ right: TEXT, wrong: 'others' });
    const seen: number[] = [];
    const right = await hashObject(
      { store, key: 'right', digest },
      { onBytes: (bytes) => seen.push(bytes) },
    );
    expect(right).toMatchObject({ state: 'right', size: TEXT.length });
    expect(seen).toEqual([TEXT.length]);
    const actual = `sha256:${createHash('sha256').update('others').digest('hex')}`;
    expect(await hashObject({ store, key: 'wrong', digest })).toMatchObject({
      state: 'wrong',
      size: 6,
      actual,
    });
    expect(await hashObject({ store, key: 'gone', digest })).toEqual({ state: 'absent' });
  });

  it('goes on where a broken transfer ended', async () => {
    const { store, gets } = breaking({ k: TEXT }, 5, 3);
    expect(await hashObject({ store, key: 'k', digest })).toMatchObject({ state: 'right' });
    expect(gets.map(({ range }) => range?.offset)).toEqual([undefined, 5, 10, 15]);
    expect(gets.slice(1).every(({ ifMatch }) => ifMatch !== undefined)).toBe(true);
  });

  it('begins again when the object changed, or cannot be told from another', async () => {
    const changing = breaking({ k: 'other bytes' }, 5, 1);
    const reading = hashObject(
      { store: changing.store, key: 'k', digest },
      { onBytes: () => changing.real.objects.set('k', Buffer.from(TEXT)) },
    );
    expect(await reading).toMatchObject({ state: 'right' });
    const { store, gets } = breaking({ k: TEXT }, 5, 2);
    const blind = { ...store, capabilities: { ...store.capabilities, conditionalGet: false } };
    expect(await hashObject({ store: blind, key: 'k', digest })).toMatchObject({ state: 'right' });
    expect(gets.every(({ range }) => range === undefined)).toBe(true);
  });

  it('gives up with the reason', async () => {
    const { store } = breaking({ k: TEXT }, 1, 99);
    expect(await hashObject({ store, key: 'k', digest })).toEqual({
      state: 'unread',
      reason: 'The body ended early.',
    });
    const denied = new MemoryStore({ k: TEXT });
    denied.before = () => {
      throw new StoreError('AccessDenied', 'No.');
    };
    expect(await hashObject({ store: denied, key: 'k', digest })).toEqual({
      state: 'unread',
      reason: 'No.',
    });
    const unknown = await hashObject({ store, key: 'k', digest: 'md5:abc' as Digest });
    expect(unknown).toMatchObject({ state: 'unread' });
  });

  it('ends with its signal', async () => {
    const store = new MemoryStore({ k: TEXT });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(hashObject({ store, key: 'k', digest }, { signal })).rejects.toThrow('enough');
  });
});
