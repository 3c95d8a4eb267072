import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Digest } from '../../oci/digest.js';
import { digestOf } from '../../oci/hash.js';
import { BlobTable } from './blob-table.js';

const digest = (number: number): Digest =>
  `sha256:${createHash('sha256').update(`${number}`).digest('hex')}` as Digest;

test('keeps every copy of a digest with what the listing told, in the order of the listing', () => {
  const table = new BlobTable();
  for (const directory of ['a', 'b', 'storage']) {
    for (let number = 0; number < 3000; number += 1) {
      const size = directory === 'b' ? 0 : number + 2 ** 33;
      table.add(digest(number), directory, { key: '', size, etag: `"${number}"`, lastModified: 7 });
    }
  }
  expect(table.size).toBe(9000);
  expect(table.digests.size).toBe(3000);
  for (const number of [0, 1, 2999]) {
    const hex = digest(number).slice(7);
    const etag = `"${number}"`;
    const size = number + 2 ** 33;
    const copy = (directory: string) => ({
      directory,
      key: `${directory}/blobs/sha256/${hex}`,
      size,
      etag,
      lastModified: 7,
      placeholder: false,
    });
    const expected = [copy('a'), { ...copy('b'), size: 0, placeholder: true }, copy('storage')];
    expect(table.copies(digest(number))).toEqual(expected);
    expect(table.copies(number)).toEqual(expected);
  }
});

test('gives back ETags of every form as they were', () => {
  const md5 = 'd41d8cd98f00b204e9800998ecf8427e';
  const etags = [`"${md5}"`, `"${md5}-1"`, `"${md5}-10000"`, `"${md5}-0"`, `"${md5}-01"`]
    .concat([`"${md5}-65534"`, `"${md5}-65535"`, `"${md5}-99999"`, `"${md5.toUpperCase()}"`])
    .concat([md5, 'W/"1"', '""']);
  const table = new BlobTable();
  etags.forEach((etag, number) => table.add(digest(number), 'r', { key: '', size: 1, etag }));
  table.add(digest(etags.length), 'r', { key: '', size: 1 });
  const back = [...etags, undefined].map((_, number) => table.copies(number)[0]?.etag);
  expect(back).toEqual([...etags, undefined]);
  expect(table.copies(etags.length)[0]).not.toHaveProperty('lastModified');
});

test('takes an empty object for the content of the empty digest, and for no other', () => {
  const table = new BlobTable();
  const empty = digestOf('sha256', new Uint8Array()) ?? digest(0);
  table.add(empty, 'r', { key: '', size: 0 });
  table.add(digest(1), 'r', { key: '', size: 0 });
  expect(table.copies(empty)[0]?.placeholder).toBe(false);
  expect(table.copies(digest(1))[0]?.placeholder).toBe(true);
});

test('knows digests that have no copies', () => {
  const table = new BlobTable();
  for (let number = 0; number < 5000; number += 1) table.digests.number(digest(number));
  table.add(digest(4999), 'r', { key: '', size: 1 });
  expect(table.copies(4998)).toEqual([]);
  expect(table.copies(digest(4998))).toEqual([]);
  expect(table.copies(4999)).toHaveLength(1);
  expect(table.copies(digest(7000))).toEqual([]);
});
