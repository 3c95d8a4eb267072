/** A few facts about each of millions of digests, by the digest's number: one byte each. */
export class DigestFlags {
  #flags = new Uint8Array(1024);

  /** Note `flag` (a power of two below 256) of the digest. */
  set(number: number, flag: number): void {
    if (number >= this.#flags.length) {
      const flags = new Uint8Array(Math.max(2 * this.#flags.length, number + 1));
      flags.set(this.#flags);
      this.#flags = flags;
    }
    this.#flags[number] = (this.#flags[number] ?? 0) | flag;
  }

  has(number: number, flag: number): boolean {
    return ((this.#flags[number] ?? 0) & flag) !== 0;
  }
}

/** Some repository's index reaches the digest. */
export const REFERENCED = 1;
/** An object of it was read and is right. */
export const READ_RIGHT = 2;
