import type {
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  StoreCapabilities,
} from '../../src/store/object-store.js';
import { readBodyInto } from '../../src/store/read-into.js';

/** One GET as the store saw it. */
export interface SeenGet {
  readonly key: string;
  readonly offset: number | undefined;
  readonly length: number | undefined;
  readonly ifMatch: string | undefined;
}

/**
 * A store in front of a real one that misbehaves on purpose, and remembers what it was asked. Only
 * faults are made here; everything else is the real store's.
 */
export class TamperingStore implements ObjectStore {
  readonly name: string;
  readonly gets: SeenGet[] = [];
  readonly lists: ListOptions[] = [];
  readonly heads: string[] = [];
  /** Called before each GET; may throw a StoreError, wait, or change the bucket. */
  beforeGet: (get: SeenGet) => Promise<void> | void = () => undefined;
  beforeList: (options: ListOptions) => Promise<void> | void = () => undefined;
  /** Changes bytes on their way; `position` is the first byte's place in the object. */
  tamper: (key: string, bytes: Uint8Array, position: number) => Uint8Array = (_key, bytes) => bytes;
  /** Changes what a GET's head says. */
  describe: (info: ObjectInfo) => ObjectInfo = (info) => info;
  readonly #store: ObjectStore;
  readonly #capabilities: Partial<StoreCapabilities>;

  constructor(store: ObjectStore, capabilities: Partial<StoreCapabilities> = {}) {
    this.#store = store;
    this.#capabilities = capabilities;
    this.name = store.name;
  }

  get capabilities(): StoreCapabilities {
    return { ...this.#store.capabilities, ...this.#capabilities };
  }

  async list(options: ListOptions): Promise<ListPage> {
    this.lists.push(options);
    await this.beforeList(options);
    return this.#store.list(options);
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    const seen: SeenGet = {
      key,
      offset: options.range?.offset,
      length: options.range?.length,
      ifMatch: options.ifMatch,
    };
    this.gets.push(seen);
    await this.beforeGet(seen);
    const answer = await this.#store.get(key, options);
    const body = this.#tampered(key, answer);
    return {
      ...answer,
      info: this.describe(answer.info),
      body,
      readInto: readBodyInto.bind(undefined, body),
      cancel: () => answer.cancel(),
    };
  }

  head(key: string, signal?: AbortSignal): Promise<ObjectInfo> {
    this.heads.push(key);
    return this.#store.head(key, signal);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Forget what was asked so far. */
  forget(): void {
    this.gets.length = 0;
    this.lists.length = 0;
    this.heads.length = 0;
  }

  async *#tampered(key: string, answer: GetResult): AsyncGenerator<Uint8Array> {
    let position = answer.offset;
    for await (const chunk of answer.body) {
      yield this.tamper(key, chunk, position);
      position += chunk.byteLength;
    }
  }
}

/** Flip one bit of the byte at `at`, wherever a chunk holds it. */
export function flipBit(
  at: number,
): (key: string, bytes: Uint8Array, position: number) => Uint8Array {
  return (_key, bytes, position) => {
    if (at < position || at >= position + bytes.byteLength) return bytes;
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(at - position) ^ 1, at - position);
    return copy;
  };
}
