import type { Digest } from '../../oci/digest.js';
import type { Requests } from '../run/requests.js';

/**
 * What `layoutfs gc` would delete or deleted; `--json` prints exactly this (docs/check.md). Fields
 * are added, never renamed; sizes are bytes, keys are whole keys of the store.
 */
export interface CollectionReport {
  readonly format: 1;
  readonly source: string;
  readonly registry: string;
  /** Why nothing may be deleted, full sentences. */
  readonly blockers: readonly string[];
  /** What should be known before anything is deleted, full sentences. */
  readonly warnings: readonly string[];
  /** Distinct digests that no index reaches, and their objects. */
  readonly digests: number;
  readonly objects: number;
  readonly bytes: number;
  /** These objects, by digest. Empty where there are blockers: nothing is known for sure. */
  readonly garbage: readonly GarbageObject[];
  readonly kept: KeptObjects;
  /** Asked for this report. */
  readonly requests: Requests;
  readonly dollars: number;
  /** What keeping the garbage costs. */
  readonly dollarsPerMonth: number;
  /** Absent for a report. */
  readonly done?: CollectionDone;
}

export interface GarbageObject {
  readonly digest: Digest;
  readonly key: string;
  readonly size: number;
}

/** Objects that look like garbage and stay. */
export interface KeptObjects {
  /** Of digests that are stored in directories with blobs but without an index, too. */
  readonly incomplete: number;
}

export interface CollectionDone {
  readonly objects: number;
  readonly bytes: number;
  /** Objects that were another, or gone, when their turn came. */
  readonly changed: readonly string[];
  /** Objects that the store would not delete; then nothing more was tried. */
  readonly refused: readonly { readonly key: string; readonly reason: string }[];
  /** Why it ended early, a full sentence. */
  readonly stopped?: string;
  readonly requests: Requests;
  readonly dollars: number;
}
