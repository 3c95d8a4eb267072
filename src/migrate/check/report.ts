import type { Digest } from '../../oci/digest.js';

/**
 * What `layoutfs check` found; `--json` prints exactly this (docs/check.md). Fields are added, never
 * renamed; sizes are bytes; repositories are names, the empty one is the root; keys are whole keys
 * of the store. Every list is sorted, and complete.
 */
export interface CheckReport {
  readonly format: 1;
  /** As `status` and `mount` name it. */
  readonly source: string;
  /** How the registry is laid out, in one line. */
  readonly registry: string;
  readonly verdict: Verdict;
  readonly totals: CheckTotals;
  readonly damage: DamageFound;
  readonly warnings: WarningsFound;
  readonly notes: NotesFound;
}

/** `damaged`: something that an index names cannot be read. `warnings`: all can, but see there. */
export type Verdict = 'sound' | 'warnings' | 'damaged';

export interface CheckTotals {
  /** Repositories whose closure was followed. */
  readonly repositories: number;
  /** Objects of the registry, whatever they are. */
  readonly keys: number;
  /** Distinct digests with at least one object of bytes. */
  readonly digests: number;
  /** Objects that hold a blob's bytes, and how many bytes they are. */
  readonly contents: number;
  readonly contentBytes: number;
  /** Zero-byte objects that stand for a blob. */
  readonly placeholders: number;
  /** Distinct digests that the indexes reach, and their bytes by descriptor. */
  readonly referenced: number;
  readonly referencedBytes: number;
  /** Objects whose bytes were read and hashed: manifests always, the rest as asked for. */
  readonly hashed: number;
  readonly hashedBytes: number;
}

/** Each entry here makes the verdict `damaged`. */
export interface DamageFound {
  /** Repositories whose `index.json` could not be read or is none. */
  readonly unreadable: readonly UnreadableRepository[];
  /** Nothing with bytes is stored of these digests anywhere in their store: no object at all. */
  readonly missing: readonly DamagedBlob[];
  /** The same, with placeholders as the only objects. */
  readonly unresolved: readonly DamagedBlob[];
  /** Bytes are stored, but only elsewhere than the repository's readers look. `repair` copies them. */
  readonly misplaced: readonly DamagedBlob[];
  /** Bytes are stored, but none of the length that the descriptor claims. */
  readonly wrongSize: readonly DamagedBlob[];
  /** Objects whose bytes do not hash to their name, of digests that an index reaches. */
  readonly corrupt: readonly CorruptObject[];
  /** Objects that the store did not give out to be hashed, of digests that an index reaches. */
  readonly unread: readonly UnhashedObject[];
}

/** None of these is damage, and each can become it. */
export interface WarningsFound {
  /** Digests whose bytes a restart of a deduplicating zot would empty everywhere. */
  readonly atRisk: readonly AtRiskBlob[];
  /** Signs of a move between layouts that was not finished, or of a marker that is not true. */
  readonly migrations: readonly MigrationSign[];
  /** Documents that may refer to more than could be followed. */
  readonly documents: readonly OddDocument[];
  /** Objects whose bytes do not hash to their name, and which no index reaches. */
  readonly corruptUnreferenced: readonly CorruptObject[];
  /** The same of digests that no index reaches, and blobs whose hash cannot be computed here. */
  readonly unhashed: readonly UnhashedObject[];
  /** Directories with blobs that lack `index.json` or `oci-layout`. */
  readonly incomplete: readonly string[];
  /** Repositories that no mount can show, for another one's files are in their place. */
  readonly shadowed: readonly string[];
  /** Keys that no registry writes: how many, and the first of them. */
  readonly strangeKeys: { readonly count: number; readonly examples: readonly string[] };
}

/** What it costs to leave things as they are. */
export interface NotesFound {
  /**
   * Blobs that no repository refers to; `gc` removes them. Absent where that is not known: only some
   * repositories were looked at, or not all could be read whole.
   */
  readonly unreferenced?: Unreferenced;
  /** Objects in repositories that do not refer to them any more, while others do; they stay. */
  readonly leftBehind?: number;
  /** Content stored more than once. */
  readonly duplicates: Duplicates;
  /** Placeholders of digests whose bytes are elsewhere: the state of a deduplicating zot. */
  readonly resolvedPlaceholders: number;
  /** Blobs that are rightly absent, because their descriptors name other places. */
  readonly foreign: number;
  /** Objects of uploads and synchronisations that were not finished. */
  readonly unfinishedUploads: { readonly objects: number; readonly bytes: number };
}

export interface UnreadableRepository {
  readonly repository: string;
  /** A full sentence. */
  readonly reason: string;
}

/** A digest that some repositories name and cannot have. */
export interface DamagedBlob {
  readonly digest: Digest;
  /** As descriptors claim; nearly always one. */
  readonly sizes: readonly number[];
  readonly repositories: readonly AffectedRepository[];
  /** Objects of this digest, with their sizes. */
  readonly objects: readonly StoredObject[];
}

export interface AffectedRepository {
  readonly repository: string;
  /** Entries of its index that reach the digest, as `tag` or `@digest`. */
  readonly images: readonly string[];
}

export interface StoredObject {
  readonly key: string;
  readonly size: number;
}

export interface CorruptObject {
  readonly digest: Digest;
  readonly key: string;
  readonly size: number;
  /** What its bytes hash to. */
  readonly actual: string;
  /** Another object of the digest, of the same length, was read and is right. */
  readonly otherCopyIsRight: boolean;
  readonly repositories: readonly string[];
}

export interface UnhashedObject {
  readonly digest: Digest;
  readonly key: string;
  readonly reason: string;
}

export interface AtRiskBlob {
  readonly digest: Digest;
  readonly size: number;
  /** Smallest key of the digest: where bytes would have to be. */
  readonly placeholder: string;
  /** Smallest key with bytes. */
  readonly content: string;
  readonly repositories: readonly string[];
}

export interface MigrationSign {
  /** A full sentence: what was seen. */
  readonly message: string;
  /** A full sentence: what to do. */
  readonly advice: string;
  /** Keys that show it. */
  readonly keys: readonly string[];
}

export interface OddDocument {
  /** The manifest; absent where it is the repository's `index.json`. */
  readonly digest?: Digest;
  readonly repositories: readonly string[];
  readonly reason: string;
}

export interface Unreferenced {
  readonly digests: number;
  readonly objects: number;
  readonly bytes: number;
  readonly list: readonly (StoredObject & { readonly digest: Digest })[];
}

export interface Duplicates {
  readonly digests: number;
  /** Objects beyond the first of each digest. */
  readonly objects: number;
  /** Bytes that those take; hard links of a local disk take none and are left out. */
  readonly wastedBytes: number;
  readonly list: readonly DuplicatedBlob[];
}

export interface DuplicatedBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly keys: readonly string[];
}
