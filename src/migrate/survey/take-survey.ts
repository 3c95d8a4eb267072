import { compareBytes } from '../../registry/inventory/inventory.js';
import type { InventoryRules } from '../../registry/inventory/take-inventory.js';
import { ZOT_RULES } from '../../registry/zot/rules.js';
import type { ObjectInfo, ObjectStore } from '../../store/object-store.js';
import { BlobTable } from './blob-table.js';
import { KeyReader } from './key-kind.js';
import type { KeySample, Survey, SurveyedDirectory } from './survey.js';
import { isEmptyDigest } from '../../oci/empty.js';

/** Enough to find the cause. */
const EXAMPLES = 20;

export interface SurveyOptions {
  readonly store: ObjectStore;
  /** Key prefix of the registry's root: empty, or ending in a slash. */
  readonly root: string;
  /** How keys are read; default those of zot. */
  readonly rules?: InventoryRules;
  readonly signal?: AbortSignal | undefined;
  /** Called after each page with the number of keys listed so far. */
  readonly onProgress?: ((keys: number) => void) | undefined;
}

/**
 * List every key below a registry's root once and sort what the listing tells: one LIST for each
 * thousand keys, and no other request.
 * @throws StoreError, also when the store refuses to list
 */
export async function takeSurvey(options: SurveyOptions): Promise<Survey> {
  const { store, root, rules = ZOT_RULES, signal, onProgress } = options;
  const taker = new SurveyTaker(rules);
  const startedAt = Date.now();
  let lists = 0;
  let keys = 0;
  let bytes = 0;
  let token: string | undefined;
  do {
    signal?.throwIfAborted();
    const page = await store.list({
      prefix: root,
      ...(token === undefined ? {} : { token }),
      ...(signal === undefined ? {} : { signal }),
    });
    lists += 1;
    keys += page.objects.length;
    for (const object of page.objects) {
      bytes += object.size;
      taker.add({ ...object, key: object.key.slice(root.length) });
    }
    token = page.next;
    onProgress?.(keys);
  } while (token !== undefined);
  const told = taker.finish();
  return { store, root, startedAt, finishedAt: Date.now(), lists, keys, bytes, ...told };
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

class SurveyTaker {
  readonly #rules: InventoryRules;
  readonly #reader: KeyReader;
  readonly #blobs = new BlobTable();
  readonly #directories = new Map<string, Mutable<SurveyedDirectory>>();
  readonly #uploads: ObjectInfo[] = [];
  readonly #markers: ObjectInfo[] = [];
  readonly #journal: ObjectInfo[] = [];
  readonly #malformed = new Sample();
  readonly #internal = new Sample();
  readonly #unknown = new Sample();

  constructor(rules: InventoryRules) {
    this.#rules = rules;
    this.#reader = new KeyReader(rules);
  }

  add(object: ObjectInfo): void {
    const known = this.#reader.kindOf(object.key);
    switch (known.kind) {
      case 'blob': {
        this.#blobs.add(known.digest, known.directory, object);
        const directory = this.#directory(known.directory);
        if (object.size > 0 || isEmptyDigest(known.digest)) directory.copies += 1;
        else directory.placeholders += 1;
        return;
      }
      case 'index':
        this.#directory(known.directory).index = object;
        return;
      case 'layout':
        this.#directory(known.directory).layout = object;
        return;
      case 'upload':
        this.#uploads.push(object);
        return;
      case 'marker':
        this.#markers.push(object);
        return;
      case 'journal':
        this.#journal.push(object);
        return;
      case 'malformed':
        this.#malformed.add(object.key);
        return;
      case 'internal':
      case 'slash':
        this.#internal.add(object.key);
        return;
      case 'unknown':
        this.#unknown.add(object.key);
    }
  }

  finish(): Omit<
    Survey,
    'store' | 'root' | 'startedAt' | 'finishedAt' | 'lists' | 'keys' | 'bytes'
  > {
    const isRepository = ({ index, layout }: SurveyedDirectory): boolean =>
      index !== undefined && (layout !== undefined || this.#rules.ociLayoutOptional);
    const isBlobRoot = (path: string): boolean =>
      this.#rules.blobRoots.has(path) || path.endsWith('/');
    const repositories: string[] = [];
    const incomplete: string[] = [];
    for (const [path, directory] of this.#directories) {
      if (isRepository(directory)) repositories.push(path);
      else if (directory.copies + directory.placeholders > 0 && !isBlobRoot(path)) {
        incomplete.push(path);
      }
    }
    return {
      blobs: this.#blobs,
      directories: this.#directories,
      repositories: repositories.sort(compareBytes),
      incomplete: incomplete.sort(compareBytes),
      uploads: this.#uploads,
      markers: this.#markers,
      journal: this.#journal,
      malformed: this.#malformed,
      internal: this.#internal,
      unknown: this.#unknown,
    };
  }

  #directory(path: string): Mutable<SurveyedDirectory> {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const directory = { copies: 0, placeholders: 0 };
    this.#directories.set(path, directory);
    return directory;
  }
}

class Sample implements KeySample {
  count = 0;
  readonly examples: string[] = [];

  add(key: string): void {
    this.count += 1;
    if (this.examples.length < EXAMPLES) this.examples.push(key);
  }
}
