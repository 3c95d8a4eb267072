import { readFile } from 'node:fs/promises';

/** One line of /proc/self/mountinfo (proc(5)). */
export interface Mount {
  /** Unique while the mount exists; the kernel may reuse it afterwards. */
  readonly id: number;
  readonly parentId: number;
  /** `major:minor` of the device that `stat` shows for files of it. */
  readonly device: string;
  readonly mountpoint: string;
  /** Such as `ext4` or `fuse.layoutfs`. */
  readonly fsType: string;
  readonly source: string;
  /** Options of this mount and of its file system, such as `ro` and `allow_other`. */
  readonly options: readonly string[];
}

/** All mounts that this process sees. Reading them asks no file system anything. */
export async function readMountTable(): Promise<Mount[]> {
  return parseMountTable(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** Parse the text of a mountinfo file. */
export function parseMountTable(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    // Optional fields stand between the sixth and a lone hyphen.
    const hyphen = fields.indexOf('-', 6);
    const [id, parentId, device = '', , mountpoint, mountOptions] = fields;
    if (hyphen < 0 || mountpoint === undefined || mountOptions === undefined) continue;
    const [fsType = '', source = '', superOptions = ''] = fields.slice(hyphen + 1);
    mounts.push({
      id: Number(id),
      parentId: Number(parentId),
      device,
      mountpoint: unescape(mountpoint),
      fsType: unescape(fsType),
      source: unescape(source),
      options: [...mountOptions.split(','), ...superOptions.split(',')],
    });
  }
  return mounts;
}

/**
 * The mount that one sees at exactly `mountpoint` (an absolute path without symbolic links), or
 * `undefined` if nothing is mounted there. Of several, one over the other, the topmost.
 */
export function topMount(mounts: readonly Mount[], mountpoint: string): Mount | undefined {
  const here = mounts.filter((mount) => mount.mountpoint === mountpoint);
  return here.find(
    (mount) => !here.some((other) => other !== mount && other.parentId === mount.id),
  );
}

/** The kernel writes space, tab, newline, backslash and `#` as a backslash and three octal digits. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
