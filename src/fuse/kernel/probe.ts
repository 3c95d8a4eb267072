import {
  capabilityProblem,
  deviceProblem,
  type Problem,
  probeOf,
  type TransportProbe,
} from '../host-problems.js';

/** Whether this process could mount by speaking to the kernel itself. Mounts nothing. */
export function probeKernel(): Promise<TransportProbe> {
  if (process.getuid?.() !== 0) return probeOf([userProblem()]);
  return probeOf([deviceProblem(), capabilityProblem()]);
}

function userProblem(): Problem {
  return Promise.resolve(
    'The transport "kernel" mounts for root only: mount as root, or use the transport "libfuse".',
  );
}
