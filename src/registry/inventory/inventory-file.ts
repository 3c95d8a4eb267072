import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseDigest } from '../../oci/digest.js';
import { CopyTable } from './copy-table.js';
import type { Inventory } from './inventory.js';

/**
 * An inventory on disk, so that a restarted daemon need not list the store again: JSON lines, a
 * header, then `["<directory>"]` before the copies of that directory, each `["<digest>", <size>]`,
 * then a line with their number. A file without the last line was cut short.
 */

const VERSION = 1;
/** Lines handed to one write. */
const BATCH = 2000;

interface Header {
  readonly version: number;
  readonly store: string;
  readonly root: string;
  readonly finishedAt: number;
  readonly durationMs: number;
}

export class InventoryFile {
  readonly #path: string;
  readonly #directory: string;

  constructor(
    stateDir: string,
    private readonly store: string,
    private readonly root: string,
  ) {
    const name = createHash('sha256').update(`${store}\0${root}`).digest('hex').slice(0, 32);
    this.#directory = join(stateDir, 'inventories');
    this.#path = join(this.#directory, `${name}.jsonl`);
  }

  /**
   * The kept inventory, or undefined when there is none.
   * @throws Error when the file is there and damaged.
   */
  async read(): Promise<Inventory | undefined> {
    const input = createReadStream(this.#path);
    try {
      return await this.#parse(createInterface({ input, crlfDelay: Infinity }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    } finally {
      input.destroy();
    }
  }

  /**
   * Replace the kept inventory; a reader sees the old file or the new one.
   * @throws Error of the file system.
   */
  async write(inventory: Inventory): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const temporary = `${this.#path}.${randomUUID()}`;
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        let batch: string[] = [];
        for (const line of this.#lines(inventory)) {
          batch.push(line);
          if (batch.length < BATCH) continue;
          await file.write(`${batch.join('\n')}\n`);
          batch = [];
        }
        await file.write(`${batch.join('\n')}\n`);
      } finally {
        await file.close();
      }
      await rename(temporary, this.#path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  *#lines({ copies, finishedAt, durationMs }: Inventory): Generator<string> {
    const { store, root } = this;
    const header: Header = { version: VERSION, store, root, finishedAt, durationMs };
    yield JSON.stringify(header);
    let current: string | undefined;
    for (const { digest, directory, size } of copies.entries()) {
      if (directory !== current) yield JSON.stringify([directory]);
      current = directory;
      yield JSON.stringify([digest, size]);
    }
    yield String(copies.size);
  }

  async #parse(lines: AsyncIterable<string>): Promise<Inventory> {
    const copies = new CopyTable();
    let header: Header | undefined;
    let directory: string | undefined;
    let complete = false;
    for await (const line of lines) {
      const value: unknown = JSON.parse(line);
      if (header === undefined) header = this.#checkHeader(value);
      else if (typeof value === 'number') complete = value === copies.size;
      else if (!Array.isArray(value)) throw new Error('A line is neither a directory nor a copy.');
      else if (value.length === 1) directory = String(value[0]);
      else addCopy(copies, directory, value);
    }
    if (header === undefined || !complete) throw new Error('The file was cut short.');
    return { copies, finishedAt: header.finishedAt, durationMs: header.durationMs };
  }

  #checkHeader(value: unknown): Header {
    const header = value as Partial<Header> | null;
    if (
      header?.version !== VERSION ||
      header.store !== this.store ||
      header.root !== this.root ||
      typeof header.finishedAt !== 'number' ||
      typeof header.durationMs !== 'number'
    ) {
      throw new Error('The header is of another store or version.');
    }
    return header as Header;
  }
}

function addCopy(copies: CopyTable, directory: string | undefined, value: unknown[]): void {
  const digest = parseDigest(value[0]);
  const size = value[1];
  if (digest === undefined || directory === undefined || !Number.isSafeInteger(size)) {
    throw new Error('A line names no copy.');
  }
  copies.add(digest, directory, size as number);
}
