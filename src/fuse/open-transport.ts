import { type Log, silentLog } from '../observe/log.js';
import { handedDescriptor } from './handed-device.js';
import { probeKernel } from './kernel/probe.js';
import { MountError, type Transport } from './transport.js';

/** The transports that can be asked for; `auto` takes the best that works here. */
export const TRANSPORT_NAMES = ['auto', 'kernel', 'libfuse'] as const;

export type TransportName = (typeof TRANSPORT_NAMES)[number];

export interface TransportNeeds {
  /** As it was asked for. */
  readonly mountpoint?: string;
  readonly log?: Log;
}

/**
 * The transport of this name. Nothing is mounted, and nothing of libfuse is loaded, before this.
 * @throws MountError which says what is missing on this host
 */
export async function openTransport(
  name: TransportName,
  { mountpoint = '/', log = silentLog }: TransportNeeds = {},
): Promise<Transport> {
  if (handedDescriptor(mountpoint) !== undefined) {
    if (name !== 'libfuse') return openKernel();
    throw new MountError(
      `${mountpoint} is a mount that was made already, which the transport "libfuse" cannot serve; use the transport "kernel".`,
    );
  }
  if (name === 'kernel') return openKernel();
  if (name === 'libfuse') return openLibfuse();
  const { usable, problems } = await probeKernel();
  if (usable) return openKernel();
  try {
    const transport = await openLibfuse();
    log.info(
      { problems },
      `The transport "libfuse" is used, because "kernel" cannot be used here. ${problems.join(' ')}`,
    );
    return transport;
  } catch (error) {
    if (!(error instanceof MountError)) throw error;
    throw new MountError(
      `No transport to the kernel works here. ${[...problems, error.message].join(' ')}`,
      { cause: error },
    );
  }
}

async function openKernel(): Promise<Transport> {
  const { KernelTransport } = await import('./kernel/transport.js');
  return new KernelTransport();
}

async function openLibfuse(): Promise<Transport> {
  const { LibfuseTransport } = await import('./libfuse/transport.js');
  const { loadFuseNative } = await import('./libfuse/fuse-native.js');
  loadFuseNative();
  return new LibfuseTransport();
}

export type { TransportProbe } from './host-problems.js';
export { passthroughProblem } from './kernel/passthrough-probe.js';
export { koffiProblem, probeKernel } from './kernel/probe.js';
export { probeLibfuse } from './libfuse/probe.js';
