import { UsageError } from '../config/usage-error.js';

/** The name under which `mount -t layoutfs` looks for us, in /sbin. */
export const MOUNT_HELPER = 'mount.layoutfs';

/**
 * The `layoutfs mount` command line for a call by mount(8):
 * `mount.layoutfs source directory [-sfnv] [-N namespace] [-o options] [-t type]`
 * (https://man7.org/linux/man-pages/man8/mount.8.html, "External helpers").
 * @throws UsageError
 */
export function translateMountHelper(helperArguments: readonly string[]): string[] {
  const operands: string[] = [];
  const translated: string[] = ['mount'];
  const queue = [...helperArguments];
  for (let argument = queue.shift(); argument !== undefined; argument = queue.shift()) {
    if (argument === '-o') translated.push('-o', withoutRw(value(argument, queue.shift())));
    else if (argument === '-t') value(argument, queue.shift());
    else if (argument === '-N') {
      throw new UsageError('mount -N is not supported: enter the namespace with nsenter(1) first.');
    } else if (/^-[sfnv]+$/.test(argument)) {
      // -n (no mtab) and -v (verbose) change nothing: there is no mtab, and errors are sentences.
      if (argument.includes('s')) translated.push('--sloppy');
      if (argument.includes('f')) translated.push('--fake');
    } else operands.push(argument);
  }
  if (operands.length !== 2) {
    throw new UsageError(
      `${MOUNT_HELPER} needs a source and a mountpoint, as mount(8) passes them.`,
    );
  }
  return [...translated, '--', ...operands];
}

/**
 * The `layoutfs mount` command line for a call by mount.fuse3(8), for fstab's `layoutfs#source` and for
 * types like `fuse.layoutfs`: `layoutfs source directory -o options`, without a command.
 * @returns undefined for any other call
 */
export function translateFuseHelper(words: readonly string[]): string[] | undefined {
  const [source = '', directory = '', flag, options, ...more] = words;
  const isSource = source === 'none' || /^[^-].*[:/]|^\//.test(source);
  if (!isSource || !directory.startsWith('/') || flag !== '-o' || more.length > 0) return undefined;
  return ['mount', '-o', withoutRw(value(flag, options)), '--', source, directory];
}

/** mount(8) writes `rw` itself where nobody wrote `ro`: nobody asked for it, so it is no mistake. */
function withoutRw(options: string): string {
  const kept = options.split(',').filter((option) => option !== 'rw');
  return kept.join(',');
}

function value(option: string, text: string | undefined): string {
  if (text === undefined) throw new UsageError(`${MOUNT_HELPER}: ${option} needs a value.`);
  return text;
}
