import type { Digest } from '../../oci/digest.js';
import type { DamagedBlob, UnreadableRepository } from '../check/report.js';
import type { Requests } from '../run/requests.js';
import type { SkippedTarget } from './refill.js';

/**
 * What `layoutfs repair` would do or did; `--json` prints exactly this (docs/check.md). Fields are
 * added, never renamed; sizes are bytes, keys are whole keys of the store.
 */
export interface RepairReport {
  readonly format: 1;
  readonly source: string;
  readonly registry: string;
  /** `protect`: one copy of each digest at risk; `refill`: every placeholder that is needed. */
  readonly mode: 'refill' | 'protect';
  readonly plan: RepairSummary;
  /** What is to be copied, sorted by digest. */
  readonly copies: readonly PlannedCopies[];
  /** What no copy can bring back: nothing in the bucket has the bytes. */
  readonly lost: readonly DamagedBlob[];
  /** Repositories that cannot be read, so that nothing is known of what they need. */
  readonly unreadable: readonly UnreadableRepository[];
  /** Absent for a plan. */
  readonly done?: RepairDone;
}

export interface RepairSummary {
  readonly digests: number;
  /** Objects to write. */
  readonly objects: number;
  /** Bytes by which the bucket grows. */
  readonly bytes: number;
  readonly cost: RepairCost;
}

export interface RepairCost {
  /** Of acting, the looking before it included. */
  readonly requests: Requests;
  /** For these requests. */
  readonly dollars: number;
  /** For keeping the bytes by which the bucket grows. */
  readonly dollarsPerMonth: number;
  readonly seconds: number;
  /** Whose prices these are. */
  readonly prices: string;
}

export interface PlannedCopies {
  readonly digest: Digest;
  readonly size: number;
  /** Where the bytes are. */
  readonly from: string;
  readonly to: readonly string[];
}

export interface RepairDone {
  /** Objects that hold their bytes now, verified. */
  readonly filled: number;
  readonly bytes: number;
  /** Objects that somebody else had filled by then. */
  readonly already: number;
  readonly skipped: readonly SkippedTarget[];
  readonly requests: Requests;
  readonly dollars: number;
}
