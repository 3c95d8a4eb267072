import { createHmac } from 'node:crypto';
import { type InodeNumber, ROOT_INODE } from './file-system.js';

/** Bits of an inode number: the most that a JavaScript number holds exactly, one kept free. */
const BITS = 52n;

/**
 * Inode numbers from identities: a keyed hash, so that they are the same after a remount and nobody
 * can forge two identities with one number. What is in use is checked for collisions all the same.
 */
export class InodeNumbers {
  readonly #key: Buffer;

  /** `key`: 32 secret bytes kept in the state directory. */
  constructor(key: Buffer) {
    this.#key = key;
  }

  /**
   * The number of an identity. `taken` tells whether another identity has a number already; then
   * the next of a fixed sequence is used.
   */
  of(identity: string, taken: (ino: InodeNumber) => boolean): InodeNumber {
    for (let attempt = 0; ; attempt++) {
      const ino = this.#hash(attempt === 0 ? identity : `${identity}\0${attempt}`);
      if (ino > ROOT_INODE && !taken(ino)) return ino;
    }
  }

  #hash(text: string): InodeNumber {
    const bytes = createHmac('sha256', this.#key).update(text).digest();
    return Number(BigInt.asUintN(Number(BITS), bytes.readBigUInt64LE(0)));
  }
}
