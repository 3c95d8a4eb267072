import {
  allowOtherProblem,
  capabilityProblem,
  deviceProblem,
  fusermountProblem,
  type Problem,
  probeOf,
  type TransportProbe,
} from '../host-problems.js';
import { loadFuseNative } from './fuse-native.js';

/**
 * Whether this process could mount through libfuse. Mounts nothing.
 * @param options.allowOther also check what letting other users in needs
 */
export function probeLibfuse({ allowOther = false } = {}): Promise<TransportProbe> {
  const isRoot = process.getuid?.() === 0;
  const checks = [
    loadProblem(),
    deviceProblem(),
    // libfuse 2.9 looks for it by this very name.
    ...(isRoot ? [capabilityProblem()] : [fusermountProblem(['fusermount'])]),
    ...(allowOther && !isRoot ? [allowOtherProblem()] : []),
  ];
  return probeOf(checks);
}

async function loadProblem(): Problem {
  try {
    await Promise.resolve(loadFuseNative());
    return undefined;
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}.`;
  }
}
