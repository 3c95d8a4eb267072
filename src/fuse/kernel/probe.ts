import {
  allowOtherProblem,
  capabilityProblem,
  deviceProblem,
  fusermountProblem,
  type Problem,
  probeOf,
  type TransportProbe,
} from '../host-problems.js';
import { FUSERMOUNT } from './fusermount.js';
import { loadSystemCalls } from './system-calls.js';

/**
 * Whether this process could mount by speaking to the kernel itself. Mounts nothing.
 * @param options.allowOther also check what letting other users in needs
 */
export function probeKernel({ allowOther = false } = {}): Promise<TransportProbe> {
  if (process.getuid?.() === 0) return probeOf([deviceProblem(), capabilityProblem()]);
  return probeOf([
    deviceProblem(),
    koffiProblem(),
    fusermountProblem(FUSERMOUNT),
    ...(allowOther ? [allowOtherProblem()] : []),
  ]);
}

/** What is in the way of the system calls that Node lacks, or undefined. */
export function koffiProblem(): Problem {
  try {
    loadSystemCalls();
    return Promise.resolve(undefined);
  } catch (error) {
    return Promise.resolve(error instanceof Error ? error.message : String(error));
  }
}
