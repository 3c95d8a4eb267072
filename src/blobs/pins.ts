import { createCipheriv, randomBytes } from 'node:crypto';
import { BLOCK_SIZE, blockOf } from './grid.js';

/** Bytes of a pin: an authentication tag of GCM. */
export const PIN_SIZE = 16;

/** Bytes of the secret that pins are made with. */
const KEY_SIZE = 16;

/** Blocks whose pins are kept in one array. */
const GROUP = 64;

/** A pin, and a byte that says that it is there. */
const ENTRY = PIN_SIZE + 1;

/**
 * Makes pins: authentication codes of blocks under a secret of this process, several times faster
 * than a SHA-256. Pins never leave the process, so nobody can look for two blocks that have the
 * same: the chance for any two that differ is about 2^-115.
 */
export class PinMaker {
  /** For a {@link PinMaker} of the same pins in another thread. */
  readonly secret: Uint8Array;

  constructor(secret: Uint8Array = randomBytes(KEY_SIZE)) {
    this.secret = secret;
  }

  /** The pin of a block. */
  pin(block: Uint8Array): Uint8Array {
    // The same nonce each time is fine for a code that nobody gets to see.
    const cipher = createCipheriv('aes-128-gcm', this.secret, NONCE);
    cipher.setAAD(block);
    cipher.final();
    return cipher.getAuthTag();
  }

  /** The pins of the blocks of `bytes`, one after the other. */
  pins(bytes: Uint8Array): Uint8Array {
    const pins = new Uint8Array(Math.ceil(bytes.byteLength / BLOCK_SIZE) * PIN_SIZE);
    for (let at = 0; at < bytes.byteLength; at += BLOCK_SIZE) {
      pins.set(this.pin(bytes.subarray(at, at + BLOCK_SIZE)), blockOf(at) * PIN_SIZE);
    }
    return pins;
  }
}

const NONCE = new Uint8Array(12);

/** The pins of a blob's blocks, as far as there are any. */
export class Pins {
  readonly #groups = new Map<number, Uint8Array>();

  get(index: number): Uint8Array | undefined {
    const group = this.#groups.get(Math.floor(index / GROUP));
    const at = (index % GROUP) * ENTRY;
    return group?.[at] === 1 ? group.subarray(at + 1, at + ENTRY) : undefined;
  }

  set(index: number, pin: Uint8Array): void {
    const name = Math.floor(index / GROUP);
    let group = this.#groups.get(name);
    if (!group) this.#groups.set(name, (group = new Uint8Array(GROUP * ENTRY)));
    const at = (index % GROUP) * ENTRY;
    group[at] = 1;
    group.set(pin, at + 1);
  }

  /** Memory, in bytes. */
  get weight(): number {
    return this.#groups.size * (GROUP * ENTRY + 100);
  }
}
