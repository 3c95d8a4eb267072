const HASH_BYTES = 16;
const PLAIN = 0;
const ODD = 0xffff;
const ABSENT = 0xfffe;
/** What S3 and its kin answer nearly always: an MD5, and the number of parts of a multipart upload. */
const USUAL = /^"([0-9a-f]{32})(?:-(\d{1,5}))?"$/;

/** ETags by row, 18 bytes each where they have the usual form. Rows are appended. */
export class EtagColumn {
  #hashes = Buffer.alloc(1024 * HASH_BYTES);
  #parts = new Uint16Array(1024);
  #count = 0;
  readonly #odd = new Map<number, string>();

  push(etag: string | undefined): void {
    const row = this.#count;
    if (row === this.#parts.length) this.#grow();
    this.#count += 1;
    const match = etag === undefined ? null : USUAL.exec(etag);
    const parts = Number(match?.[2] ?? PLAIN);
    // `"…-0"` and numbers of parts that no server allows would not come back as they were.
    const usual = match !== null && parts < ABSENT && String(parts) === (match[2] ?? '0');
    if (usual && match[2] !== '0') {
      this.#hashes.write(match[1] ?? '', row * HASH_BYTES, 'hex');
      this.#parts[row] = parts;
      return;
    }
    this.#parts[row] = etag === undefined ? ABSENT : ODD;
    if (etag !== undefined) this.#odd.set(row, etag);
  }

  get(row: number): string | undefined {
    const parts = this.#parts[row] ?? ABSENT;
    if (parts === ABSENT) return undefined;
    if (parts === ODD) return this.#odd.get(row);
    const at = row * HASH_BYTES;
    const hash = this.#hashes.toString('hex', at, at + HASH_BYTES);
    return parts === PLAIN ? `"${hash}"` : `"${hash}-${parts}"`;
  }

  #grow(): void {
    const hashes = Buffer.alloc(this.#hashes.length * 2);
    this.#hashes.copy(hashes);
    this.#hashes = hashes;
    const parts = new Uint16Array(this.#parts.length * 2);
    parts.set(this.#parts);
    this.#parts = parts;
  }
}
