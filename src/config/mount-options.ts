import { optionKey, suggestion } from './option-name.js';
import { type OptionName, optionNames, optionNote } from './options.js';
import type { WrittenOptions } from './resolve.js';
import { UsageError } from './usage-error.js';

/**
 * Options of `mount(8)` and systemd that say nothing to us: who may mount, when, and flags of the
 * kernel that every layoutfs mount has anyway or that a read-only file system without devices and
 * set-user-id files makes no difference for. `mount` passes `rw` when fstab says `defaults`. The last
 * line are those of whoever mounts for us, such as `mount.fuse3 -o drop_privileges`.
 */
const OF_MOUNT = new Set(
  `ro rw defaults auto noauto user nouser users owner group nofail _netdev
   dev nodev suid nosuid exec noexec sync async atime noatime diratime nodiratime relatime
   norelatime strictatime nostrictatime lazytime nolazytime default_permissions
   fsname subtype max_read`.split(/\s+/),
);

/** Options that make no sense after `-o`: `mount` must return. */
const NOT_AFTER_O: readonly OptionName[] = ['foreground'];

/** Whether an `-o` text asks for a mount that can be written. */
export function asksForWriting(text: string): boolean {
  return text.split(',').some((option) => option.trim() === 'rw');
}

/**
 * The options in a comma-separated `-o` text, as fstab and `mount -t layoutfs` write them.
 * `include` and `exclude` may be repeated. A comma cannot be escaped there.
 * @param sloppy leave unknown options out instead of refusing them (`mount -s`)
 * @throws UsageError for unknown options and missing values
 */
export function parseMountOptions(text: string, { sloppy = false } = {}): WrittenOptions {
  const names = optionNames.filter((name) => !NOT_AFTER_O.includes(name));
  const nameOfKey = new Map(names.map((name) => [optionKey(name), name]));
  const written: WrittenOptions = {};
  for (const option of text.split(',')) {
    const { key, value } = splitOption(option);
    if (key === '' || OF_MOUNT.has(key) || key.startsWith('x-') || key === 'comment') continue;
    const name = nameOfKey.get(key.replaceAll('_', '-'));
    if (name === undefined) {
      if (sloppy) continue;
      const known = [...nameOfKey.keys()];
      throw new UsageError(`-o ${key}: there is no such option${suggestion(key, known)}`);
    }
    add(written, name, key, value);
  }
  return written;
}

function splitOption(option: string): { key: string; value: string | undefined } {
  const equals = option.indexOf('=');
  if (equals < 0) return { key: option.trim(), value: undefined };
  return { key: option.slice(0, equals).trim(), value: option.slice(equals + 1) };
}

function add(
  written: WrittenOptions,
  name: OptionName,
  key: string,
  value: string | undefined,
): void {
  const note = optionNote(name);
  if (value === undefined && note.value !== undefined) {
    throw new UsageError(`-o ${key} needs a value: write ${key}=<${note.value}>.`);
  }
  const origin = `-o ${key}`;
  if (note.repeatable === true) {
    const earlier = (written[name]?.value ?? []) as string[];
    written[name] = { value: [...earlier, value ?? ''], origin };
  } else {
    written[name] = { value: value ?? true, origin };
  }
}
