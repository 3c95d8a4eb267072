import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { makeRegistry } from '../images/registry.js';
import type { MountedLayoutfs } from '../support/mount.js';
import { mountLayoutfs } from '../support/mount.js';
import { run, runOk } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { viewOfCorpus, writePlainCopy } from './view.js';

let scratch = '';
let plain = '';
let mount: MountedLayoutfs;
let mnt = '';

beforeAll(async () => {
  scratch = await makeTemporaryDirectory('files');
  plain = join(scratch, 'plain');
  const made = await makeRegistry(join(scratch, 'bucket'), { layout: 'shared' });
  await writePlainCopy(plain, viewOfCorpus(made.corpus));
  mount = await mountLayoutfs(`file://${made.directory}`);
  mnt = mount.mountpoint;
});
afterAll(async () => {
  await mount.unmount();
  await rm(scratch, { recursive: true, force: true });
});

/** Standard output of a shell command that must succeed without a word on standard error. */
async function shell(command: string): Promise<string> {
  const { code, stdout, stderr } = await run('bash', ['-o', 'pipefail', '-c', command]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout;
}

/** An empty directory to copy to. */
async function emptyDirectory(name: string): Promise<string> {
  const directory = join(scratch, name);
  await mkdir(directory);
  return directory;
}

describe('a whole mount', () => {
  it('equals the plain copy for diff', async () => {
    await shell(`diff -r ${mnt} ${plain}`);
  });

  it('is copied by cp -a', async () => {
    const copy = join(scratch, 'cp');
    await shell(`cp -a ${mnt} ${copy} && diff -r ${copy} ${plain}`);
  });

  it('is packed by tar, without hard links', async () => {
    const copy = await emptyDirectory('tar');
    const archive = join(scratch, 'mount.tar');
    await shell(`tar -C ${mnt} -cf ${archive} . && tar -C ${copy} -xf ${archive}`);
    await shell(`diff -r ${copy} ${plain}`);
    const kinds = await shell(`tar -tvf ${archive} | cut -c1 | sort -u | tr -d '\\n'`);
    expect(kinds).toBe('-d');
  });

  it('is copied by rsync -a once, and not again', async () => {
    const copy = await emptyDirectory('rsync');
    await shell(`rsync -a ${mnt}/ ${copy}/ && diff -r ${copy} ${plain}`);
    expect(await shell(`rsync -a --itemize-changes ${mnt}/ ${copy}/`)).toBe('');
  });

  it('is walked by find -ls', async () => {
    const lines = (await shell(`find ${mnt} -ls`)).trim().split('\n');
    const entries = (await shell(`find ${plain}`)).trim().split('\n');
    expect(lines).toHaveLength(entries.length);
    const modes = await shell(`find ${mnt} -printf '%M %U:%G\\n' | sort -u`);
    expect(modes).toBe('-r--r--r-- 0:0\ndr-xr-xr-x 0:0\n');
    const sizes = (root: string): Promise<string> =>
      shell(`cd ${root} && find . -type f -printf '%n %s %p\\n' | sort`);
    expect(await sizes(mnt)).toBe(await sizes(plain));
  });

  it('is counted by du', async () => {
    const count = (root: string): Promise<string> =>
      shell(`cd ${root} && du -ab . | grep -E '/([0-9a-f]{64}|index.json|oci-layout)$' | sort`);
    expect(await count(mnt)).toBe(await count(plain));
    expect(await shell(`du -sh ${mnt}`)).toMatch(/^\S+\s/);
  });

  it('is a file system of its own for df', async () => {
    const [source, target] = (await shell(`df --output=source,target ${mnt} | tail -n 1`))
      .trim()
      .split(/\s+/);
    expect(source).toBe(`file://${join(scratch, 'bucket')}`);
    expect(target).toBe(mnt);
    await shell(`df -i ${mnt}`);
  });
});

describe('many readers at once', () => {
  it('all get the right bytes', async () => {
    const all = `find ${mnt} -path '*/blobs/sha256/*' -type f -print0`;
    const reader = `${all} | shuf -z | xargs -0 sha256sum`;
    const outputs = await Promise.all(Array.from({ length: 8 }, () => shell(reader)));
    for (const line of outputs.join('').trim().split('\n')) {
      const [, hash, name] = /^(\w+) .*\/(\w+)$/.exec(line) ?? [];
      expect(name).toBe(hash);
    }
  });

  it('copy images at once', async () => {
    const images = ['library/busybox:1.35', 'library/multi:1.0', 'team/app:1.0'];
    const copies = [...images, ...images].map((image, position) => [
      `oci:${mnt}/${image}`,
      `dir:${join(scratch, `copy-${position}`)}`,
    ]);
    await Promise.all(copies.map((copy) => runOk('skopeo', ['copy', '--all', ...copy])));
    await shell(`diff -r ${join(scratch, 'copy-0')} ${join(scratch, 'copy-3')}`);
  });
});

describe('every change is refused by the kernel as on any read-only file system', () => {
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
    ['umoci tag', 'umoci tag --image library/busybox:1.35 new'],
    ['skopeo copy', 'skopeo copy oci:library/busybox:1.35 oci:team/app:new'],
  ])('%s', async (_change, command) => {
    const { code, stderr } = await run('bash', ['-c', command], { cwd: mnt });
    expect(stderr).toMatch(/read-only file system/i);
    expect(code).not.toBe(0);
  });

  it('and locking still works', async () => {
    await shell(`flock --shared --nonblock ${mnt}/${file} true`);
    await shell(`flock --exclusive --nonblock ${mnt}/${file} true`);
  });
});
