import { describe, expect, test } from 'vitest';

import type { DirectoryEntry } from '../../tree/file-system.js';
import { encodeNames, NameTable, sharedNow } from './known-names.js';
import { Size } from './protocol.js';
import { encodeEntry } from './replies.js';

const owner = { uid: 1000, gid: 100 };
const timeouts = { entryTimeout: Infinity, attributeTimeout: 5000 };

function entryOf(name: string, ino: number): DirectoryEntry {
  const attributes = {
    ino,
    kind: 'file',
    size: ino,
    permissions: 0o444,
    nlink: 1,
    mtime: 0,
  } as const;
  return { name, attributes };
}

function find(table: NameTable, name: string): number {
  // As in a request: among other bytes.
  const bytes = Buffer.from(`before${name}\0after`);
  return table.find(bytes, 6, 6 + Buffer.byteLength(name));
}

describe('names that are known', () => {
  const names = Array.from({ length: 5000 }, (_, index) => `${'n'.repeat(index % 70)}${index}`);
  names.push('ünï cödé', 'a', 'aa');
  const entries = names.map((name, index) => entryOf(name, index + 2 ** 40));
  // These differ from the others in one thing each.
  const odd = [{ mtime: 5 }, { nlink: 2 }, { permissions: 0o400 }, { kind: 'directory' as const }];
  odd.forEach((attributes, index) => {
    const name = `odd ${index}`;
    names.push(name);
    const like = entries[entries.length - 1]?.attributes ?? entryOf(name, 0).attributes;
    entries.push({ name, attributes: { ...like, ino: index + 2 ** 41, ...attributes } });
  });
  names.push('like the first');
  entries.push(entryOf('like the first', 2 ** 42));
  const table = new NameTable(encodeNames(7, 9, entries, timeouts, owner));

  test('are all found, each as itself', () => {
    expect(names.map((name) => find(table, name))).toEqual(names.map((_, index) => index));
  });

  test('others are not', () => {
    for (const name of ['', 'b', 'aaa', 'n', 'ünï cödè', '5000', '4999 ']) {
      expect(find(table, name)).toBe(-1);
    }
  });

  test('have the answer that a lookup gets', () => {
    const unique = { low: 1, high: 0 };
    for (const index of [0, 1, 4999, 5000, 5002, 5003, 5004, 5005, 5006, 5007]) {
      const [entry] = entries.slice(index);
      if (entry === undefined) throw new Error('There are more.');
      const reply = Buffer.alloc(Size.OUT_HEADER + Size.ENTRY_OUT);
      table.copyReply(index, reply, Size.OUT_HEADER);
      const expected = encodeEntry(unique, { attributes: entry.attributes, ...timeouts }, owner);
      expect(reply.subarray(Size.OUT_HEADER)).toEqual(expected.subarray(Size.OUT_HEADER));
    }
  });

  test('are valid only until the time that is set from outside', () => {
    const known = encodeNames(1, 2, entries, timeouts, owner);
    const one = new NameTable(known);
    expect(one.isValid).toBe(false);
    known.validUntil[0] = sharedNow() + 60_000;
    expect(one.isValid).toBe(true);
    known.validUntil[0] = sharedNow() - 1;
    expect(one.isValid).toBe(false);
  });
});

test('an empty directory has no names', () => {
  expect(find(new NameTable(encodeNames(1, 2, [], timeouts, owner)), 'x')).toBe(-1);
});
