import { hash } from 'node:crypto';
import { type InodeNumber, ROOT_INODE } from './file-system.js';

/**
 * Inode numbers from identities: a keyed hash, so that they are the same after a remount and nobody
 * can forge two identities with one number. What is in use is checked for collisions all the same.
 */
export class InodeNumbers {
  readonly #key: string;

  /** `key`: 32 secret bytes kept in the state directory. */
  constructor(key: Buffer) {
    this.#key = key.toString('hex');
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

  /**
   * A large listing waits for one of these per entry: in one call it takes a quarter of the time of
   * an HMAC. Nobody is shown enough of the hash to go on with it, which is what HMAC is against.
   */
  #hash(text: string): InodeNumber {
    return leadingBits(hash('sha256', this.#key + text, 'binary'));
  }
}

/**
 * The first 52 bits, big-endian, of a string of bytes: the most that a JavaScript number holds
 * exactly, one kept free.
 */
function leadingBits(bytes: string): number {
  let high = 0;
  for (let index = 0; index < 3; index += 1) high = high * 256 + bytes.charCodeAt(index);
  let low = 0;
  for (let index = 3; index < 6; index += 1) low = low * 256 + bytes.charCodeAt(index);
  return (high * 2 ** 24 + low) * 16 + (bytes.charCodeAt(6) >>> 4);
}
