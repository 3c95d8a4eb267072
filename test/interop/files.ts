import { describe, expect, it } from 'vitest';

import { run } from '../support/run.js';
import type { MountedBucket } from './mounted-bucket.js';
import { useMountedBucket } from './mounted-bucket.js';
import type { Bucket } from './sources.js';
import type { StoreBucket } from './store-bucket.js';

/** Who mounts owns everything, where no option says otherwise. */
const OWNER = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;

/** Runs a shell command that must succeed without a word on standard error; answers its output. */
type Shell = (command: string) => Promise<string>;

/**
 * Declare the tests of file tools on the mount of a bucket, which holds the test images and has
 * lost nothing: a mount also lists a missing blob until somebody has tried to open it.
 */
export function readFiles(bucket: Bucket, store: StoreBucket): void {
  describe(`files of ${bucket.name}`, () => {
    const mounted = useMountedBucket(bucket, store);
    const shell: Shell = async (command) => {
      const { mnt, plain, scratch } = mounted;
      const env = { MNT: mnt, PLAIN: plain, SCRATCH: scratch };
      const { code, stdout, stderr } = await run('bash', ['-e', '-o', 'pipefail', '-c', command], {
        env,
      });
      expect(stderr).toBe('');
      expect(code).toBe(0);
      return stdout;
    };
    describe('copying', () => declareCopying(shell));
    describe('walking', () => declareWalking(shell, mounted));
    describe('many readers at once', () => declareConcurrency(shell));
    describe('a change is refused as on any read-only file system:', () =>
      declareChanges(shell, mounted));
  });
}

function declareCopying(shell: Shell): void {
  it('diff finds no difference to the plain copy', async () => {
    await shell('diff -r $MNT $PLAIN');
  });

  it('cp -a copies everything', async () => {
    await shell('cp -a $MNT $SCRATCH/cp; diff -r $SCRATCH/cp $PLAIN');
  });

  it('tar packs everything, without hard links', async () => {
    await shell('tar -C $MNT -cf $SCRATCH/mnt.tar .');
    await shell('cd $SCRATCH; mkdir tar; tar -C tar -xf mnt.tar; diff -r tar $PLAIN');
    expect(await shell('tar -tvf $SCRATCH/mnt.tar | cut -c1 | sort -u')).toBe('-\nd\n');
  });

  it('rsync -a copies everything once, and nothing again', async () => {
    await shell('rsync -a $MNT/ $SCRATCH/rsync; diff -r $SCRATCH/rsync $PLAIN');
    expect(await shell('rsync -a --itemize-changes $MNT/ $SCRATCH/rsync')).toBe('');
  });
}

function declareWalking(shell: Shell, mounted: MountedBucket): void {
  it('find -ls lists what is there, read-only, with true sizes', async () => {
    const count = (text: string): number => text.trim().split('\n').length;
    expect(count(await shell('find $MNT -ls'))).toBe(count(await shell('find $PLAIN')));
    expect(await shell("find $MNT -printf '%M %U:%G\\n' | sort -u")).toBe(
      `-r--r--r-- ${OWNER}\ndr-xr-xr-x ${OWNER}\n`,
    );
    const sizes = (root: string): Promise<string> =>
      shell(`cd ${root}; find . -type f -printf '%n %s %p\\n' | sort`);
    expect(await sizes('$MNT')).toBe(await sizes('$PLAIN'));
  });

  it('du counts the same bytes', async () => {
    const files = "grep -E '/([0-9a-f]{64}|index.json|oci-layout)$'";
    const count = (root: string): Promise<string> =>
      shell(`cd ${root}; du -ab . | ${files} | sort`);
    expect(await count('$MNT')).toBe(await count('$PLAIN'));
    await shell('du -sh $MNT');
  });

  it('df names the source', async () => {
    const line = await shell('df --output=source,target $MNT | tail -n 1');
    const [source = '', target] = line.trim().split(/\s+/);
    const withoutParameters = (url: string): string => url.replace(/\?.*/, '');
    expect(withoutParameters(source)).toBe(withoutParameters(mounted.source));
    expect(target).toBe(mounted.mnt);
    await shell('df -i $MNT');
  });
}

function declareConcurrency(shell: Shell): void {
  const READERS = 8;

  it('each gets the right bytes, in any order', async () => {
    const blobs = "find $MNT -path '*/blobs/sha256/*' -type f -print0";
    const sums = Array.from({ length: READERS }, () =>
      shell(`${blobs} | shuf -z | xargs -0 sha256sum`),
    );
    for (const line of (await Promise.all(sums)).join('').trim().split('\n')) {
      const [, hash, name] = /^(\w+) .*\/(\w+)$/.exec(line) ?? [];
      expect(name).toMatch(/^[0-9a-f]{64}$/);
      expect(hash).toBe(name);
    }
  });

  it('skopeo copies images while skopeo copies them', async () => {
    const images = ['library/busybox:1.35', 'library/multi:1.0', 'team/app:1.0'];
    const copy = (image: string, position: number): Promise<string> =>
      shell(`skopeo copy --quiet --all oci:$MNT/${image} dir:$SCRATCH/copy-${position}`);
    await Promise.all([...images, ...images].map(copy));
    await shell('cd $SCRATCH; for i in 0 1 2; do diff -r copy-$i copy-$((i + 3)); done');
  });
}

function declareChanges(shell: Shell, mounted: MountedBucket): void {
  const file = 'library/busybox/index.json';

  it.each([
    ['a new file', 'touch library/busybox/new'],
    ['a new directory', 'mkdir library/busybox/ingest'],
    ['a link', `ln ${file} library/busybox/link`],
    ['a symbolic link', 'ln -s index.json library/busybox/link'],
    ['removal', `rm -f ${file}`],
    ['renaming', `mv ${file} library/busybox/other.json`],
    ['writing', `dd of=${file} conv=notrunc count=0 if=/dev/null`],
    ['cutting', `truncate -s 0 ${file}`],
    ['another mode', `chmod 600 ${file}`],
    ['another owner', `chown 1 ${file}`],
    ['another time', `touch -d @0 ${file}`],
    ['a tag by umoci', 'umoci tag --image library/busybox:1.35 new'],
    ['an image by skopeo', 'skopeo copy oci:library/busybox:1.35 oci:team/app:new'],
  ])('%s', async (_change, command) => {
    const { code, stderr } = await run('bash', ['-c', command], { cwd: mounted.mnt });
    expect(stderr).toMatch(/read-only file system/i);
    expect(code).not.toBe(0);
  });

  it('but not a lock, which changes nothing', async () => {
    await shell(`flock --shared --nonblock $MNT/${file} true`);
    await shell(`flock --exclusive --nonblock $MNT/${file} true`);
  });
}
