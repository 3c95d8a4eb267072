import { Opcode } from './protocol.js';

/**
 * Opcodes that we never serve, but that the kernel tries: `enum fuse_opcode` of the header
 * include/uapi/linux/fuse.h.
 */
const UNSERVED = {
  FSYNC: 20,
  GETXATTR: 22,
  LISTXATTR: 23,
  FLUSH: 25,
  FSYNCDIR: 30,
  ACCESS: 34,
  IOCTL: 39,
  POLL: 40,
  LSEEK: 46,
  SYNCFS: 50,
  STATX: 52,
} as const;

const NAMES = new Map<number, string>(
  Object.entries({ ...Opcode, ...UNSERVED }).map(([name, opcode]) => [opcode, name.toLowerCase()]),
);

/** Opcodes that have a count of their own; the header has none above yet, but for CUSE. */
const OPCODES = 64;

/**
 * How many requests one serving thread has read, by opcode; those from {@link OPCODES} on are in
 * place 0. Written by that thread only, so that no lock is needed. 2^53 are enough.
 */
export type RequestCounts = Float64Array<SharedArrayBuffer>;

/** Memory for the counts of one thread. */
export function makeRequestCounts(): RequestCounts {
  return new Float64Array(new SharedArrayBuffer(8 * OPCODES));
}

/** One more; by the thread that the counts are of. */
export function countRequest(counts: RequestCounts, opcode: number): void {
  const place = opcode < OPCODES ? opcode : 0;
  counts[place] = (counts[place] ?? 0) + 1;
}

/** The sum over threads, by the kind of request in lower case (`lookup`); kinds that came only. */
export function sumRequests(threads: Iterable<RequestCounts>): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const counts of threads) {
    counts.forEach((count, opcode) => {
      if (count === 0) return;
      const name = NAMES.get(opcode) ?? (opcode === 0 ? 'unknown' : `opcode ${opcode}`);
      sums[name] = (sums[name] ?? 0) + count;
    });
  }
  return sums;
}
