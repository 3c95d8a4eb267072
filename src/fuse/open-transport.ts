import { MountError, type Transport } from './transport.js';

/** The transports that can be asked for; `auto` takes the best that works here. */
export const TRANSPORT_NAMES = ['auto', 'kernel', 'libfuse'] as const;

export type TransportName = (typeof TRANSPORT_NAMES)[number];

/**
 * The transport of this name. Nothing is mounted, and nothing of libfuse is loaded, before this.
 * @throws MountError which says what is missing on this host
 */
export async function openTransport(name: TransportName): Promise<Transport> {
  if (name === 'kernel') {
    const { KernelTransport } = await import('./kernel/transport.js');
    return new KernelTransport();
  }
  const { LibfuseTransport } = await import('./libfuse/transport.js');
  const { loadFuseNative } = await import('./libfuse/fuse-native.js');
  try {
    loadFuseNative();
  } catch (error) {
    if (name === 'auto' && error instanceof MountError) {
      throw new MountError(`No transport to the kernel works here. ${error.message}`, {
        cause: error,
      });
    }
    throw error;
  }
  return new LibfuseTransport();
}

export type { TransportProbe } from './host-problems.js';
export { probeKernel } from './kernel/probe.js';
export { probeLibfuse } from './libfuse/probe.js';
