import * as z from 'zod/mini';
import { defaultMemory } from './default-memory.js';
import {
  byteSize,
  connectionCount,
  duration,
  memorySize,
  permissionMask,
  text,
  textList,
  toggle,
  userNumber,
} from './value-types.js';

/** Which commands take an option. */
export type OptionScope =
  /** Every command that reads a source: `mount`, `ls`, `warm`, `check`, `repair`, `gc`, `doctor`. */
  | 'source'
  /** Commands that use the disk cache: `mount`, `warm`, `cache`, `doctor`. */
  | 'cache'
  /** Only `mount`. */
  | 'mount'
  /** Every command. */
  | 'every';

/** What the documents and the command line say about an option, beside its type. */
export interface OptionNote {
  readonly scope: OptionScope;
  /** One or more full sentences. */
  readonly description: string;
  /** What stands for the value in the help, e.g. `duration`; absent for a switch. */
  readonly value?: string;
  /** One-letter flag without its dash. */
  readonly short?: string;
  /** May be given several times. */
  readonly repeatable?: boolean;
  /** The default in words where it is not a fixed value, or as a person would write it. */
  readonly default?: string;
}

/** The notes, looked up by the field's own schema object. */
export const optionNotes = z.registry<OptionNote>();

const field = <Schema extends z.ZodMiniType>(schema: Schema, note: OptionNote): Schema => {
  optionNotes.add(schema, note);
  return schema;
};

/**
 * Every option of layoutfs, once. Command-line flags, environment variables, keys of the
 * configuration file, `-o` options and `docs/configuration.md` are all derived from this object.
 */
export const optionsSchema = z.object({
  config: field(z.optional(text), {
    scope: 'every',
    value: 'file',
    description:
      'YAML or JSON file with options, by the names of this table. No file is read unless it is named.',
  }),
  registry: field(z.optional(z.enum(['zot', 'plain'], 'no registry kind: use zot or plain')), {
    scope: 'source',
    value: 'kind',
    default: 'detected',
    description:
      'How the source is laid out: `zot` (any state of a zot bucket) or `plain` (OCI image layouts).',
  }),
  root: field(z.optional(z.string('not text')), {
    scope: 'source',
    value: 'prefix',
    default: 'detected',
    description:
      'Key prefix below which the repositories lie, counted from the top of the bucket or directory. Turns detection off.',
  }),
  sharedBlobDir: field(z.optional(text), {
    scope: 'source',
    value: 'prefix',
    description:
      'Key prefix of a directory of blobs that plain OCI layouts share (`<prefix>/sha256/…`), as of `skopeo --src-shared-blob-dir`.',
  }),
  zotConfig: field(z.optional(text), {
    scope: 'source',
    value: 'file',
    description:
      'zot configuration to take the store, its root and its `subPaths` from, instead of a source.',
  }),
  include: field(z._default(textList, []), {
    scope: 'source',
    value: 'glob',
    repeatable: true,
    default: 'every repository',
    description:
      'Show only repositories that match, e.g. `team/**`: `*` stays within one name component, `**` does not.',
  }),
  exclude: field(z._default(textList, []), {
    scope: 'source',
    value: 'glob',
    repeatable: true,
    default: 'none',
    description: 'Hide repositories that match, also those that are included.',
  }),
  refresh: field(z._default(duration, 5000), {
    scope: 'mount',
    value: 'duration',
    default: '5s',
    description:
      'How old an `index.json` or a directory may be before it is compared with the store again.',
  }),
  memory: field(z._default(memorySize, defaultMemory), {
    scope: 'source',
    value: 'size',
    default: "an eighth of the machine's or the control group's, from 16MiB to 256MiB",
    description: 'Memory for blobs and documents, whatever the number of readers; at least 8MiB.',
  }),
  verify: field(
    z._default(
      z.enum(['stream', 'full', 'off'], 'no way to verify: use stream, full or off'),
      'stream',
    ),
    {
      scope: 'mount',
      value: 'how',
      default: 'stream',
      description:
        'When blobs are compared with their digests: `stream` before the read that completes a blob, so that nobody reads a wrong one to its end; `full` before its first byte, so that partial reads are right too, and begin when the whole blob was fetched; `off` never, so that readers may get wrong bytes without an error, nothing becomes complete in the disk cache, and pages are not kept from one open to the next. Manifests are always verified.',
    },
  ),
  connections: field(z._default(connectionCount, 64), {
    scope: 'source',
    value: 'number',
    default: '64',
    description:
      'Connections to a store, and requests under way, at most; further requests wait. One reader uses up to 16.',
  }),
  requestTimeout: field(z._default(duration, 10_000), {
    scope: 'source',
    value: 'duration',
    default: '10s',
    description:
      "Longest wait for the store's answer to one request, and for the next bytes of an answer.",
  }),
  readTimeout: field(z._default(duration, 30_000), {
    scope: 'source',
    value: 'duration',
    default: '30s',
    description:
      'Longest time a look-up, an open or a read may take, retries included; then it fails with an I/O error.',
  }),
  stateDir: field(z.optional(text), {
    scope: 'source',
    value: 'dir',
    default: '`/var/lib/layoutfs` for root, else `${XDG_STATE_HOME:-~/.local/state}/layoutfs`',
    description:
      'Directory for what outlives a mount: the key of the inode numbers, listings that resolved placeholders, log files.',
  }),
  cacheDir: field(z.optional(text), {
    scope: 'cache',
    value: 'dir',
    default: 'no disk cache',
    description:
      'Directory of its own on a local disk, where blobs that were read are kept. Made where it does not exist; several mounts may share it.',
  }),
  cacheSize: field(z._default(byteSize, 10 * 1024 ** 3), {
    scope: 'cache',
    value: 'size',
    default: '10GiB',
    description:
      'Disk space that the cache may take. What was used longest ago is thrown out to make room.',
  }),
  cacheMinFree: field(z._default(byteSize, 1024 ** 3), {
    scope: 'cache',
    value: 'size',
    default: '1GiB',
    description: "Space on the cache's disk that is left free, whatever the cache may take.",
  }),
  transport: field(
    z._default(
      z.enum(['auto', 'kernel', 'libfuse'], 'no transport: use auto, kernel or libfuse'),
      'auto',
    ),
    {
      scope: 'mount',
      value: 'name',
      default: 'auto',
      description:
        'How to talk to the kernel: `kernel` (by ourselves), `libfuse` (through fuse-native), or `auto`, which takes `kernel` where it can be used.',
    },
  ),
  hardLinks: field(z._default(toggle, false), {
    scope: 'mount',
    default: 'off',
    description:
      'Show a blob that repositories share as one file with several names (`st_nlink` is 2, however many there are), so that `du` counts it once and `rsync -H`, `cp -a` and `tar` copy it once. Off, because readers of image archives ignore hard links. Needs the transport `kernel`.',
  }),
  allowOther: field(z._default(toggle, false), {
    scope: 'mount',
    default: 'off',
    description:
      'Let other users read the mount. An ordinary user needs `user_allow_other` in `/etc/fuse.conf` for it.',
  }),
  uid: field(z.optional(userNumber), {
    scope: 'mount',
    value: 'number',
    default: 'the user who mounts',
    description: 'Owner shown for every file.',
  }),
  gid: field(z.optional(userNumber), {
    scope: 'mount',
    value: 'number',
    default: 'the group of the user who mounts',
    description: 'Group shown for every file.',
  }),
  umask: field(z._default(permissionMask, 0), {
    scope: 'mount',
    value: 'octal',
    default: '000',
    description:
      'Permissions to take away from those shown, which are 0444 for files and 0555 for directories: `027` hides the mount from everybody but its owner and group.',
  }),
  foreground: field(z._default(toggle, false), {
    scope: 'mount',
    short: 'f',
    default: 'off',
    description:
      'Stay attached to the terminal or the service manager, instead of returning once the mount answers.',
  }),
  log: field(z.optional(text), {
    scope: 'mount',
    value: 'where',
    default: '`stderr` in the foreground, else a file in the state directory',
    description: 'Where the log goes: `stderr`, `journal` (systemd), or the path of a file.',
  }),
  logLevel: field(
    z._default(
      z.enum(['debug', 'info', 'warn', 'error'], 'no log level: use debug, info, warn or error'),
      'info',
    ),
    {
      scope: 'every',
      value: 'level',
      default: 'info',
      description:
        'Least important messages to log. `debug` also shows where in the program an error arose.',
    },
  ),
});

/** All options, checked; durations in milliseconds, sizes in bytes. */
export type Options = z.output<typeof optionsSchema>;

export type OptionName = keyof Options;

/** The names of all options, in the order of the documents. */
export const optionNames = Object.keys(optionsSchema.shape) as OptionName[];

/**
 * What is noted about an option.
 * @throws Error when a field was added without a note, which is a mistake in this file
 */
export function optionNote(name: OptionName): OptionNote {
  const note = optionNotes.get(optionsSchema.shape[name]);
  if (note === undefined) throw new Error(`The option "${name}" has no note.`);
  return note;
}
