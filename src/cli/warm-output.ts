import { formatByteSize } from '../config/byte-size.js';
import type { FetchOutcome, WarmProgress } from './warm-fetch.js';
import type { PlannedBlob, WarmPlan } from './warm-plan.js';

/** What a run of the command came to. */
export interface WarmSummary {
  readonly target: string;
  /** Images that were asked for and found. */
  readonly images: readonly string[];
  readonly fetched: BlobSum;
  /** Those that the cache had. */
  readonly cached: BlobSum;
  readonly failed: readonly WarmFailure[];
}

export interface BlobSum {
  readonly blobs: number;
  readonly bytes: number;
}

export interface WarmFailure {
  /** Absent where an image could not even be looked at. */
  readonly digest?: string;
  /** Who needs it. */
  readonly images: readonly string[];
  readonly reason: string;
}

/** Add up what came of a plan. */
export function summarise(
  target: string,
  plan: WarmPlan,
  outcomes: ReadonlyMap<PlannedBlob, FetchOutcome>,
): WarmSummary {
  const sums = { fetched: { blobs: 0, bytes: 0 }, cached: { blobs: 0, bytes: 0 } };
  const failed: WarmFailure[] = plan.problems.map(({ image, reason }) => ({
    images: [image],
    reason,
  }));
  for (const [{ digest, size, images }, outcome] of outcomes) {
    if (typeof outcome === 'string') {
      sums[outcome].blobs += 1;
      sums[outcome].bytes += size;
    } else failed.push({ digest, images: [...images].sort(), reason: outcome.reason });
  }
  return { target, images: [...plan.images].sort(), ...sums, failed };
}

/** What was fetched, and what was not, for people. */
export function renderWarmed({ images, fetched, cached, failed }: WarmSummary): string {
  const lines = failed.map(
    ({ digest, images: needing, reason }) =>
      `${needing.join(', ')}: ${digest === undefined ? '' : `${digest}: `}${reason}\n`,
  );
  const had = cached.blobs === 0 ? '' : `, ${sum(cached)} were there already`;
  const lost = failed.length === 0 ? '' : `, ${failed.length} failed`;
  return `${lines.join('')}${count(images.length, 'image')}: ${sum(fetched)} fetched${had}${lost}\n`;
}

/** A line for each blob under way, then one for all. */
export function renderProgress(progress: WarmProgress, columns?: number): string[] {
  const { total, current, done, count: all } = progress;
  const counts = `${done} of ${all} blobs  `;
  return [
    ...[...current].map(
      ([{ digest }, one]) =>
        `${short(digest)}  ${one.line((columns ?? 80) - short(digest).length - 2)}`,
    ),
    `${counts}${total.line((columns ?? 80) - counts.length)}`,
  ];
}

/** Twelve characters, as docker shows them. */
function short(digest: string): string {
  const colon = digest.indexOf(':');
  return digest.slice(colon + 1, colon + 13);
}

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;
const sum = ({ blobs, bytes }: BlobSum) => `${count(blobs, 'blob')} (${formatByteSize(bytes)})`;
