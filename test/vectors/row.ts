import type { CounterName } from '../../src/observe/counters.js';
import type { StoreCapabilities } from '../../src/store/object-store.js';
import type { TamperingStore } from '../support/tampering-store.js';
import type { TreeView } from '../support/tree-view.js';
import type { Content, Keys } from './vocabulary.js';

/** One row of the table of vectors: what is stored, and what a mount and `layoutfs ls` must show. */
export interface Row {
  /** Its number in the table of layouts, or the rule it probes, such as `G5`. */
  readonly vector: string;
  readonly title: string;
  readonly keys: Keys;
  /**
   * Where the keys are: a temporary directory behind the local store, or memory for keys that no
   * directory can hold (`a` beside `a/b`, slashes at the end).
   */
  readonly store?: 'directory' | 'memory';
  /** Key prefix that the source names. */
  readonly prefix?: string;
  /** Options as on the command line, by their names in code. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Text of a zot configuration, instead of a source; keys are below the given directory. */
  readonly zotConfig?: (directory: string) => string;
  /** Key prefix of the root that must be found, with its slash. */
  readonly root?: string;
  /** The key of a path of the mount, where several stores make one tree. */
  readonly keyOf?: (path: string) => string;
  /** What the store can do, where that is less than everything. */
  readonly capabilities?: Partial<StoreCapabilities>;
  /** Have the store misbehave. */
  readonly faults?: (store: TamperingStore) => void;
  readonly expect: Expectation;
  /** What happens next, for rows about change. */
  readonly then?: readonly Step[];
}

export interface Expectation {
  /** Every repository that is shown, and no other, with what it contains. */
  readonly repositories?: Readonly<Record<string, RepositoryExpectation>>;
  /** What `layoutfs ls` says beside the repositories. */
  readonly ls?: ListExpectation;
  /** Opening is refused (exit code 2) with a message like this. */
  readonly refused?: RegExp;
  /** Paths that cannot be looked up. */
  readonly hidden?: readonly string[];
  /** Content of paths, or the errno of reading them. */
  readonly files?: Readonly<Record<string, Uint8Array | 'ENOENT' | 'EIO'>>;
  /** Lines that the log (or a warning about the source) must have. */
  readonly warns?: readonly RegExp[];
  readonly counters?: Partial<Record<CounterName, number>>;
}

export interface RepositoryExpectation {
  /** Present: listed, with its size, and read with its bytes. */
  readonly blobs: readonly Content[];
  /** Nothing stored has the bytes: ENOENT, warned of, counted, then not listed. */
  readonly lost?: readonly Content[];
  /** May rightly be absent: ENOENT, neither warned of nor counted. */
  readonly foreign?: readonly Content[];
  /** Stored, but not with the right bytes: listed under the descriptor's size, EIO. */
  readonly broken?: readonly Content[];
  /** Bytes of `index.json` where they are not the stored ones, or the errno of reading it. */
  readonly index?: Uint8Array | 'EIO';
  /** Bytes of `oci-layout` where the store has none. */
  readonly ociLayout?: Uint8Array;
}

export interface ListExpectation {
  /** Where `ls` lists other repositories than the mount shows. */
  readonly repositories?: readonly string[];
  /** Digests of which only placeholders are stored, with the directories that have them. */
  readonly lost?: readonly (readonly [Content, ...string[]])[];
  /** Directories with blobs that are no repositories. */
  readonly incomplete?: readonly string[];
  /** Repositories that others hide. */
  readonly shadowed?: readonly string[];
  /** Number of keys that no registry writes. */
  readonly ignored?: number;
}

/** What a step of a row may use. */
export interface Scene {
  readonly view: TreeView;
  readonly store: TamperingStore;
  /** Put an object, or delete it with undefined. */
  change(key: string, body: Uint8Array | undefined): Promise<void>;
  /** Store all keys. */
  put(keys: Keys): Promise<void>;
  /** Check the view again. */
  check(expectation: Expectation): Promise<void>;
  /** Wait until `check` passes, at most `ms`. */
  eventually(expectation: Expectation, ms?: number): Promise<void>;
}

export interface Step {
  readonly title: string;
  readonly run: (scene: Scene) => Promise<void>;
}
