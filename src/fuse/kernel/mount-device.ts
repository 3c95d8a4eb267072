import { openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';

import { explainDevice } from '../host-problems.js';
import { FS_TYPE } from '../mountpoint.js';
import { runCommand } from '../run-command.js';
import { MountError, type TransportOptions } from '../transport.js';
import { codeOf } from './device.js';
import { MAX_READ } from './protocol.js';

const DEVICE = '/dev/fuse';

/** For `mount`, which asks nobody but the kernel. */
const MOUNT_DEADLINE_MS = 10_000;

/** The kernel takes names of up to a page; what is longer is cut, in bytes. */
const MAX_SOURCE = 4000;

/** What the kernel reads ahead, in KiB: one READ of {@link MAX_READ}. */
const READ_AHEAD_KIB = MAX_READ / 1024;

/**
 * Open the device; the mount that will be made with it ends when its last descriptor is closed.
 * @throws MountError
 */
export function openDevice(): number {
  try {
    return openSync(DEVICE, 'r+');
  } catch (error) {
    throw new MountError(explainDevice(codeOf(error) ?? 'EIO'), { cause: error });
  }
}

/** The options of a mount, whoever makes it. */
export function commonOptions({ allowOther }: Pick<TransportOptions, 'allowOther'>): string[] {
  return [
    // The superblock is read-only: the kernel answers EROFS to every change, and asks us nothing.
    'ro',
    'nosuid',
    'nodev',
    // Else nobody would check the modes.
    'default_permissions',
    ...(allowOther ? ['allow_other'] : []),
    `max_read=${MAX_READ}`,
  ];
}

/** The `-o` argument for `mount`; `fd` as that program has it. */
export function mountOptions(
  options: Pick<TransportOptions, 'allowOther'>,
  fd: number,
  user: { readonly uid: number; readonly gid: number },
): string {
  return [
    `fd=${fd}`,
    // The root is a directory (S_IFDIR, octal).
    'rootmode=40000',
    `user_id=${user.uid}`,
    `group_id=${user.gid}`,
    ...commonOptions(options),
  ].join(',');
}

/**
 * Mount an open device, as root.
 * @throws MountError with the words of `mount`
 */
export async function mountDevice(
  fd: number,
  options: Pick<TransportOptions, 'mountpoint' | 'source' | 'allowOther'>,
): Promise<void> {
  const user = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  // The descriptor after standard error, whatever its number is here.
  const list = mountOptions(options, 3, user);
  const args = ['-i', '-t', FS_TYPE, '-o', list, '--', sourceName(options.source)];
  const result = await runCommand('mount', [...args, options.mountpoint], MOUNT_DEADLINE_MS, {
    descriptors: [fd],
  });
  if (result.kind === 'exited' && result.code === 0) return;
  const why =
    result.kind === 'exited'
      ? `"mount" says: ${result.output}`
      : result.kind === 'notFound'
        ? 'the program "mount" is not installed.'
        : '"mount" did not end in time.';
  throw new MountError(`${options.mountpoint} could not be mounted: ${why}`);
}

/**
 * Let the kernel read further ahead, which only root may: INIT can but lower its own 128 KiB.
 * @param device number of the mount's device, as in {@link Mount.device}
 */
export async function readFarAhead(device: string): Promise<void> {
  // Without it all works, only slower.
  await writeFile(`/sys/class/bdi/${device}/read_ahead_kb`, `${READ_AHEAD_KIB}`).catch(
    () => undefined,
  );
}

/** Control characters, which would garble tables of mounts, become `?`. */
export function sourceName(source: string): string {
  let name = '';
  let bytes = 0;
  for (const character of source) {
    const code = character.codePointAt(0) ?? 0;
    const safe = code < 0x20 || code === 0x7f ? '?' : character;
    bytes += Buffer.byteLength(safe);
    if (bytes > MAX_SOURCE) break;
    name += safe;
  }
  return name === '' ? 'layoutfs' : name;
}
