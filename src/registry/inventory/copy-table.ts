import type { Digest } from '../../oci/digest.js';

/** One stored object that has a digest's name. */
export interface Copy {
  /** Path of the directory whose `blobs` has it. */
  readonly directory: string;
  readonly size: number;
}

/** digest (32) + directory number (4) + size (6) + next record of the bucket (4), padded. */
const RECORD_BYTES = 48;
const DIRECTORY_AT = 32;
const SIZE_AT = 36;
const NEXT_AT = 42;
const FIRST_CAPACITY = 1024;
const SHA256 = /^sha256:[a-f0-9]{64}$/;

/**
 * Digest → copies, for millions of digests: about 56 bytes for each copy of a SHA-256 digest, outside
 * of the JavaScript heap. Other algorithms are rare and kept in a plain map.
 *
 * A chained hash table: `#heads` holds record numbers plus one, by the digest's first four bytes.
 */
export class CopyTable {
  #records = Buffer.alloc(FIRST_CAPACITY * RECORD_BYTES);
  #heads = new Uint32Array(FIRST_CAPACITY);
  #count = 0;
  readonly #others = new Map<Digest, { directory: number; size: number }[]>();
  readonly #directories: string[] = [];
  readonly #numbers = new Map<string, number>();
  #othersCount = 0;

  /** Number of copies. */
  get size(): number {
    return this.#count + this.#othersCount;
  }

  add(digest: Digest, directory: string, size: number): void {
    const number = this.#numberOf(directory);
    if (!SHA256.test(digest)) {
      const copies = this.#others.get(digest);
      if (copies === undefined) this.#others.set(digest, [{ directory: number, size }]);
      else copies.push({ directory: number, size });
      this.#othersCount += 1;
      return;
    }
    if (this.#count === this.#heads.length) this.#grow();
    const record = this.#count;
    const at = record * RECORD_BYTES;
    this.#records.write(digest.slice(7), at, 'hex');
    this.#records.writeUInt32LE(number, at + DIRECTORY_AT);
    this.#records.writeUIntLE(size, at + SIZE_AT, 6);
    this.#link(record);
    this.#count += 1;
  }

  /** All copies of `digest`, in no particular order. */
  find(digest: Digest): Copy[] {
    if (!SHA256.test(digest)) {
      return (this.#others.get(digest) ?? []).map(({ directory, size }) => ({
        directory: this.#directories[directory] ?? '',
        size,
      }));
    }
    const wanted = Buffer.from(digest.slice(7), 'hex');
    const found: Copy[] = [];
    let next = this.#heads[this.#bucket(wanted.readUInt32LE(0))] ?? 0;
    while (next !== 0) {
      const at = (next - 1) * RECORD_BYTES;
      if (this.#records.compare(wanted, 0, 32, at, at + 32) === 0) found.push(this.#copyAt(at));
      next = this.#records.readUInt32LE(at + NEXT_AT);
    }
    return found;
  }

  has(digest: Digest): boolean {
    return this.find(digest).length > 0;
  }

  /** Every copy, in the order of {@link add} within SHA-256, then the others. */
  *entries(): Generator<{ digest: Digest } & Copy> {
    for (let record = 0; record < this.#count; record += 1) {
      const at = record * RECORD_BYTES;
      const digest = `sha256:${this.#records.toString('hex', at, at + 32)}` as Digest;
      yield { digest, ...this.#copyAt(at) };
    }
    for (const [digest, copies] of this.#others) {
      for (const { directory, size } of copies) {
        yield { digest, directory: this.#directories[directory] ?? '', size };
      }
    }
  }

  #copyAt(at: number): Copy {
    const number = this.#records.readUInt32LE(at + DIRECTORY_AT);
    return {
      directory: this.#directories[number] ?? '',
      size: this.#records.readUIntLE(at + SIZE_AT, 6),
    };
  }

  #numberOf(directory: string): number {
    const known = this.#numbers.get(directory);
    if (known !== undefined) return known;
    const number = this.#directories.push(directory) - 1;
    this.#numbers.set(directory, number);
    return number;
  }

  #bucket(head: number): number {
    return head & (this.#heads.length - 1);
  }

  #link(record: number): void {
    const at = record * RECORD_BYTES;
    const bucket = this.#bucket(this.#records.readUInt32LE(at));
    this.#records.writeUInt32LE(this.#heads[bucket] ?? 0, at + NEXT_AT);
    this.#heads[bucket] = record + 1;
  }

  #grow(): void {
    const records = Buffer.alloc(this.#records.length * 2);
    this.#records.copy(records);
    this.#records = records;
    this.#heads = new Uint32Array(this.#heads.length * 2);
    for (let record = 0; record < this.#count; record += 1) this.#link(record);
  }
}
