import { StoreError } from '../../src/store/errors.js';
import type {
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
} from '../../src/store/object-store.js';
import { readBodyInto } from '../../src/store/read-into.js';

/** One request as a test counts it. */
export interface SeenRequest {
  readonly verb: 'LIST' | 'GET' | 'HEAD';
  readonly key: string;
}

/**
 * Objects in memory, for keys that no directory can have (`a` beside `a/b`, a trailing slash) and
 * for refusals. Where a directory can have the keys, tests use the local store.
 */
export class MemoryStore implements ObjectStore {
  readonly name: string;
  readonly capabilities = { conditionalGet: true, serverSideCopy: true };
  readonly requests: SeenRequest[] = [];
  readonly objects = new Map<string, Buffer>();
  /** Called before each request; may throw a StoreError or wait. */
  before: ((request: SeenRequest) => void | Promise<void>) | undefined;
  pageSize = 1000;

  constructor(objects: Readonly<Record<string, string | Uint8Array>> = {}, name = 'memory') {
    this.name = `memory://${name}`;
    for (const [key, body] of Object.entries(objects)) this.objects.set(key, Buffer.from(body));
  }

  /** Number of requests with `verb`. */
  count(verb: SeenRequest['verb']): number {
    return this.requests.filter((request) => request.verb === verb).length;
  }

  async list({ prefix, delimiter, token, limit, signal }: ListOptions): Promise<ListPage> {
    await this.#begin({ verb: 'LIST', key: prefix }, signal);
    const size = Math.min(limit ?? this.pageSize, this.pageSize);
    const keys = [...this.objects.keys()]
      .filter((key) => key.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const objects: ObjectInfo[] = [];
    const prefixes: string[] = [];
    for (const key of keys) {
      const slash = delimiter === undefined ? -1 : key.indexOf('/', prefix.length);
      const entry = slash < 0 ? key : key.slice(0, slash + 1);
      if (prefixes.at(-1) === entry) continue;
      if (token !== undefined && Buffer.compare(Buffer.from(entry), Buffer.from(token)) <= 0) {
        continue;
      }
      if (objects.length + prefixes.length === size) {
        const last = [objects.at(-1)?.key ?? '', prefixes.at(-1) ?? ''].sort().at(-1) ?? '';
        return { objects, prefixes, next: last };
      }
      if (slash < 0) objects.push(this.#info(key));
      else prefixes.push(entry);
    }
    return { objects, prefixes };
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    await this.#begin({ verb: 'GET', key }, options.signal);
    const info = this.#info(key);
    if (options.ifNoneMatch === info.etag)
      throw new StoreError('NotModified', `${key} is unchanged.`);
    const body = this.objects.get(key) ?? Buffer.alloc(0);
    const stream = (async function* () {
      await Promise.resolve();
      if (body.length > 0) yield body;
    })();
    return {
      info,
      offset: 0,
      length: body.length,
      body: stream,
      readInto: readBodyInto.bind(undefined, stream),
      cancel: () => undefined,
    };
  }

  async head(key: string, signal?: AbortSignal): Promise<ObjectInfo> {
    await this.#begin({ verb: 'HEAD', key }, signal);
    return this.#info(key);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #begin(request: SeenRequest, signal: AbortSignal | undefined): Promise<void> {
    this.requests.push(request);
    signal?.throwIfAborted();
    await this.before?.(request);
  }

  #info(key: string): ObjectInfo {
    const body = this.objects.get(key);
    if (body === undefined) throw new StoreError('NotFound', `There is no ${key} in ${this.name}.`);
    return {
      key,
      size: body.length,
      etag: `"${body.toString('hex').slice(0, 16)}-${body.length}"`,
    };
  }
}
