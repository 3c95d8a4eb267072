import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ROOT_INODE } from './file-system.js';
import { InodeNumbers } from './inode-numbers.js';

const key = Buffer.alloc(32, 7);
const numbers = new InodeNumbers(key);
const never = () => false;

/** What mounts of all versions have shown for an identity. */
function expected(identity: string): number {
  const hex = createHash('sha256')
    .update(key.toString('hex') + identity)
    .digest('hex');
  return Number.parseInt(hex.slice(0, 13), 16);
}

describe('an inode number', () => {
  test('is the first 52 bits of the keyed hash, whatever the identity', () => {
    for (let index = 0; index < 1000; index += 1) {
      const identity = `blob:ünï:${index}`;
      expect(numbers.of(identity, never)).toBe(expected(identity));
    }
  });

  test('that is taken gives way to the next of its sequence', () => {
    const first = expected('a');
    const second = expected('a\0' + '1');
    expect(numbers.of('a', (ino) => ino === first)).toBe(second);
    expect(numbers.of('a', (ino) => ino === first || ino === second)).toBe(expected('a\0' + '2'));
  });

  test('is another with another key, and never that of the root', () => {
    const other = new InodeNumbers(Buffer.alloc(32, 8));
    expect(other.of('a', never)).not.toBe(numbers.of('a', never));
    expect(numbers.of('a', never)).toBeGreaterThan(ROOT_INODE);
  });
});
