import type { Requests } from '../run/requests.js';

/** What the estimate takes for granted; the plan says so. */
export const ASSUMED = {
  /** Of one request, ms. */
  requestMs: 50,
  /** Of one page of a listing, ms. */
  listMs: 200,
  /** At which a server copies one object, bytes per second. */
  copyRate: 100 * 1024 ** 2,
  /** At which this host reads altogether, bytes per second. */
  readRate: 100 * 1024 ** 2,
} as const;

/**
 * Seconds that a run may take: listings one after the other, other requests `concurrency` at once and
 * never more than `rate` in a second, bytes at the assumed rates.
 */
export function estimateSeconds(
  requests: Requests,
  copiedBytes: number,
  { concurrency, rate = Infinity }: { concurrency: number; rate?: number | undefined },
): number {
  const single = requests.put + requests.get + requests.delete;
  const latency =
    (requests.list * ASSUMED.listMs + (single * ASSUMED.requestMs) / concurrency) / 1000;
  const copying = copiedBytes / (ASSUMED.copyRate * concurrency);
  const reading = requests.bytesRead / ASSUMED.readRate;
  return Math.max(latency + copying + reading, (single + requests.list) / rate);
}
