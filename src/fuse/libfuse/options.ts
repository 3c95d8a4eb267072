import { SUBTYPE } from '../mountpoint.js';
import type { TransportOptions } from '../transport.js';

/** fuse-native copies the option string into 1024 bytes, the last of them NUL, and cuts the rest. */
const MAX_OPTION_BYTES = 1023;

/**
 * The `-o` argument for libfuse 2.9: some options are its own, some the kernel's, some for
 * `fusermount`. fuse-native's own option list cannot say `ro`, `use_ino` or any value of 0.
 */
export function optionString(
  options: Pick<TransportOptions, 'source' | 'allowOther' | 'umask' | 'refreshMs'>,
): string {
  const list = [
    // The superblock is read-only: the kernel answers EROFS to every change, and asks us nothing.
    'ro',
    'nosuid',
    'nodev',
    // One FUSE READ: libfuse 2.9 knows nothing of longer ones.
    'max_read=131072',
    // st_ino is ours, not a counter of libfuse that differs from mount to mount.
    'use_ino',
    // Timeouts are mount-wide here. Attributes are asked for each time, for an index.json may
    // change; names at most as long as any answer may be old; absence is never remembered.
    'attr_timeout=0',
    `entry_timeout=${Math.max(0, options.refreshMs / 1000).toFixed(3)}`,
    'negative_timeout=0',
    // See page-trust.ts. libfuse asks at an open only if its knowledge is older than this many
    // seconds: with a negative number it always is, even where the clock is coarse.
    'auto_cache',
    'ac_attr_timeout=-1',
    `subtype=${SUBTYPE}`,
  ];
  if (options.allowOther) list.push('allow_other');
  // Without default_permissions nobody would check the modes. Where only the user who mounted gets
  // in, and all may be read, the check would but cost one GETATTR per directory on the way.
  if (options.allowOther || options.umask !== 0) list.push('default_permissions');
  const rest = `-o${list.join(',')},fsname=`;
  return rest + escapeValue(options.source, MAX_OPTION_BYTES - Buffer.byteLength(rest));
}

/**
 * `value` for an option list, where a comma ends an option and a backslash quotes; cut at
 * `maxBytes`. Control characters, which would garble tables of mounts, become `?`.
 */
function escapeValue(value: string, maxBytes: number): string {
  let escaped = '';
  let bytes = 0;
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    const safe = code < 0x20 || code === 0x7f ? '?' : character;
    const next = safe === ',' || safe === '\\' ? `\\${safe}` : safe;
    bytes += Buffer.byteLength(next);
    if (bytes > maxBytes) break;
    escaped += next;
  }
  return escaped;
}
