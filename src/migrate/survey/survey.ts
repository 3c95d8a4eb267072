import type { ObjectInfo, ObjectStore } from '../../store/object-store.js';
import type { BlobTable } from './blob-table.js';

/** The documents and blobs that one directory has. */
export interface SurveyedDirectory {
  /** Its `index.json`. */
  readonly index?: ObjectInfo;
  /** Its `oci-layout`. */
  readonly layout?: ObjectInfo;
  /** Objects in its `blobs` that hold content. */
  readonly copies: number;
  /** Zero-byte dedupe placeholders in its `blobs`. */
  readonly placeholders: number;
}

/** How many keys are of a kind that matters to nobody, and some of them. */
export interface KeySample {
  readonly count: number;
  /** The first ones, relative to the root. */
  readonly examples: readonly string[];
}

/**
 * What one flat listing of a registry's root told, and nothing else: no object was read. Keys are
 * relative to the root, also those of every {@link ObjectInfo} in here.
 */
export interface Survey {
  readonly store: ObjectStore;
  /** Key prefix of the registry's root: empty, or ending in a slash. */
  readonly root: string;
  /** This host's clock, milliseconds since the epoch. */
  readonly startedAt: number;
  readonly finishedAt: number;
  /** LIST requests made: one for each thousand keys. */
  readonly lists: number;
  readonly keys: number;
  /** Sum of all objects' sizes. */
  readonly bytes: number;
  readonly blobs: BlobTable;
  /** Directories with documents or blobs, by path. Repositories, blob roots, and leftovers. */
  readonly directories: ReadonlyMap<string, SurveyedDirectory>;
  /** Directories with the documents that make a repository, bytewise order. */
  readonly repositories: readonly string[];
  /** Directories with blobs that are neither a repository nor a blob root, bytewise order. */
  readonly incomplete: readonly string[];
  /** Objects below `.uploads/` and `.sync/`. */
  readonly uploads: readonly ObjectInfo[];
  /** Markers of zot's own migrations. */
  readonly markers: readonly ObjectInfo[];
  /** Our own journals. */
  readonly journal: readonly ObjectInfo[];
  /** Keys in `blobs` that are no digest's. */
  readonly malformed: KeySample;
  /** What the registry keeps for itself, and directory markers of other tools. */
  readonly internal: KeySample;
  /** Keys that no registry writes. */
  readonly unknown: KeySample;
}
