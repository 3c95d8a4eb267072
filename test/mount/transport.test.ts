import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  compileDaemon,
  disposeMounts,
  IS_ROOT,
  MemoryMount,
  TEST_TRANSPORT,
} from './support/memory-mount.js';

/** Real programs read the mount; Node's own file calls are made by none of the processes here. */

const run = promisify(execFile);
const NOBODY = 65534;
const OWN = process.getuid?.() ?? 0;
const MANY = 3000;
const big = randomBytes(3 * 1024 * 1024 + 777);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const SOURCE = 's3://bucket,ro\\/pre fix';
const names = ['big', 'empty', 'small', 'ünï cödé'];
let mount: MemoryMount;
let scratch: string;

const sh = async (script: string, ...args: string[]): Promise<string> =>
  (await run('sh', ['-ec', script, 'sh', mount.directory, scratch, ...args])).stdout;

/** Run Python code as `uid`, with the mount as `m`; what it prints is answered line by line. */
async function python(code: string, uid = OWN): Promise<string[]> {
  const prelude = `import sys, os, errno, mmap, fcntl\nm = sys.argv[1]\n`;
  const as = uid === OWN ? {} : { uid };
  const { stdout } = await run('python3', ['-c', prelude + code, mount.directory], as);
  return stdout.trimEnd().split('\n');
}

beforeAll(async () => {
  await compileDaemon();
  scratch = await mkdtemp(join(tmpdir(), 'layoutfs-scratch-'));
  mount = await MemoryMount.start(
    {
      '/repo/index.json': { content: Buffer.from('{"schemaVersion":2}') },
      '/repo/blobs/big': { content: big },
      '/repo/blobs/small': { content: Buffer.from('small') },
      '/repo/blobs/empty': { content: Buffer.alloc(0) },
      '/repo/blobs/ünï cödé': { content: Buffer.from('name') },
      '/huge': { content: Buffer.from('the end'), zerosBefore: 5 * 2 ** 32 },
      '/bad/open': { content: Buffer.from('x'), failOpen: 'EACCES' },
      '/bad/read': { content: Buffer.from('x'), failRead: 'EIO' },
      '/bad/bug': { content: Buffer.from('x'), failRead: 'bug' },
    },
    { source: SOURCE, allowOther: true, refreshMs: 1000 },
  );
  for (let index = 0; index < MANY; index += 1) {
    await mount.put(`/many/${'n'.repeat(100)}-${index}`, { content: Buffer.from('x') });
  }
});
afterAll(async () => {
  await disposeMounts();
  // Copies are read-only too, which keeps their owner from removing what is in them.
  await run('chmod', ['-R', 'u+w', scratch]);
  await rm(scratch, { recursive: true, force: true });
});

describe('attributes', () => {
  test('ls and stat show what the tree says', async () => {
    const format = '%n|%A|%s|%b|%h|%Y|%Z|%u';
    const out = await sh(`cd "$1"; stat -c '${format}' repo repo/blobs/big repo/blobs/empty`);
    expect(out.trim().split('\n')).toEqual([
      `repo|dr-xr-xr-x|0|0|2|981173106|981173106|${OWN}`,
      `repo/blobs/big|-r--r--r--|${big.length}|${Math.ceil(big.length / 512)}|1|981173106|981173106|${OWN}`,
      `repo/blobs/empty|-r--r--r--|0|0|1|981173106|981173106|${OWN}`,
    ]);
    expect((await sh('ls -A "$1/repo/blobs"')).trim().split('\n').sort()).toEqual(names);
  });

  test('inode numbers are stable, unique here, and the same from readdir and stat', async () => {
    const listed = await sh('cd "$1"; find . -printf "%i %p\n" | sort');
    const stated = await sh('cd "$1"; find . -exec stat -c "%i %n" {} + | sort');
    expect(stated).toBe(listed);
    const numbers = listed
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0]);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers).toContain('1');
  });

  test('readdir tells types, so that no stat is needed to walk', async () => {
    const code = `print(sorted((e.name, e.is_dir(), e.is_file()) for e in os.scandir(m + '/repo')))`;
    expect(await python(code)).toEqual(["[('blobs', True, False), ('index.json', False, True)]"]);
  });

  test('a directory of thousands of entries is listed whole, also by two at once', async () => {
    const out = await sh('cd "$1/many"; ls -f | wc -l & ls -l | tail -n +2 | wc -l; wait');
    expect(out.trim().split('\n').sort()).toEqual([String(MANY), String(MANY + 2)]);
  });

  test('df and the mount table name the source', async () => {
    expect(await sh('df --output=source,itotal "$1" | tail -1')).toMatch(
      /^s3:\/\/bucket,ro\\\/pre fix +12345$/m,
    );
    expect(await sh('findmnt -no FSTYPE,SOURCE "$1"')).toContain('fuse.layoutfs');
    const options = (await sh('findmnt -no OPTIONS "$1"')).trim().split(',');
    expect(options).toEqual(
      expect.arrayContaining(['ro', 'nosuid', 'nodev', 'allow_other', 'default_permissions']),
    );
  });
});

describe('reading', () => {
  const expected = sha256(big);

  test.each([
    ['cat', 'cat "$1/repo/blobs/big"'],
    ['dd in odd blocks', 'dd if="$1/repo/blobs/big" bs=7777 status=none'],
    ['dd with O_DIRECT', 'dd if="$1/repo/blobs/big" bs=1M iflag=direct status=none'],
    ['tar', 'tar -cf - -C "$1/repo/blobs" big | tar -xOf -'],
    ['cp -a', 'cp -a "$1/repo/blobs/big" "$2/copy"; cat "$2/copy"'],
    ['rsync -a', 'rsync -a "$1/repo/blobs/" "$2/rsync/"; cat "$2/rsync/big"'],
  ])('%s gets the bytes', async (_, script) => {
    expect(await sh(`${script} | sha256sum`)).toBe(`${expected}  -\n`);
  });

  test('a tree is copied entire, and compares equal', async () => {
    await sh('cp -a "$1/repo" "$2/tree"; diff -r "$1/repo" "$2/tree"; chmod -R u+w "$2/tree"');
    expect(await sh('stat -c %Y "$2/tree/index.json"')).toBe('981173106\n');
  });

  test('beyond 4 GiB', async () => {
    const script = `stat -c %s "$1/huge"; tail -c 11 "$1/huge" | tr '\\0' .`;
    expect(await sh(script)).toBe(`${5 * 2 ** 32 + 7}\n....the end`);
  });

  test('eight readers at once', async () => {
    const script = 'for i in 1 2 3 4 5 6 7 8; do sha256sum <"$1/repo/blobs/big" & done; wait';
    expect(new Set((await sh(script)).trim().split('\n'))).toEqual(new Set([`${expected}  -`]));
  });

  test('O_NONBLOCK and O_NOATIME change nothing', async () => {
    const code = `
fd = os.open(m + '/repo/blobs/small', os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOATIME)
print(os.read(fd, 100), os.read(fd, 100), os.pread(fd, 2, 3), os.pread(fd, 9, 5), os.pread(fd, 9, 99))`;
    expect(await python(code)).toEqual(["b'small' b'' b'll' b'' b''"]);
  });

  test('seeking to the end right after opening', async () => {
    const code = `
f = open(m + '/repo/blobs/small', 'rb', buffering=0)
print(f.seek(0, 2), os.fstat(f.fileno()).st_size, int(os.fstat(f.fileno()).st_mtime), f.read())`;
    expect(await python(code)).toEqual(["5 5 981173106 b''"]);
  });

  test('mmap, private and shared', async () => {
    const code = `
import hashlib
for flags in (mmap.MAP_PRIVATE, mmap.MAP_SHARED):
  with open(m + '/repo/blobs/big', 'rb') as f:
    with mmap.mmap(f.fileno(), 0, flags, mmap.PROT_READ) as mapped: print(hashlib.sha256(mapped).hexdigest())`;
    expect(await python(code)).toEqual([expected, expected]);
  });

  test('locks are the kernel’s', async () => {
    const code = `
a, b = open(m + '/repo/index.json'), open(m + '/repo/index.json')
fcntl.flock(a, fcntl.LOCK_EX | fcntl.LOCK_NB)
try: fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError as e: print(errno.errorcode[e.errno])
fcntl.flock(a, fcntl.LOCK_UN)
fcntl.flock(b, fcntl.LOCK_SH | fcntl.LOCK_NB)
fcntl.lockf(a, fcntl.LOCK_SH | fcntl.LOCK_NB)
print('ok')`;
    expect(await python(code)).toEqual(['EAGAIN', 'ok']);
  });

  test('poll, fsync and sendfile', async () => {
    const code = `
import select
fd = os.open(m + '/repo/blobs/small', os.O_RDONLY)
p = select.poll(); p.register(fd, select.POLLIN); print(p.poll(1000)[0][1] & select.POLLIN)
os.fsync(fd)
r, w = os.pipe(); os.sendfile(w, fd, 0, 5); print(os.read(r, 9))`;
    expect(await python(code)).toEqual(['1', "b'small'"]);
  });
});

describe('errors', () => {
  /** Python that prints the errno of each call, or what it answered. */
  const attempts = (calls: string[]) =>
    `import socket\n` +
    calls
      .map((call) => `try: print(${call})\nexcept OSError as e: print(errno.errorcode[e.errno])\n`)
      .join('');

  const mutations = [
    "os.open(m + '/repo/index.json', os.O_WRONLY)",
    "os.open(m + '/repo/index.json', os.O_RDWR)",
    "os.open(m + '/repo/index.json', os.O_RDONLY | os.O_TRUNC)",
    "os.open(m + '/repo/new', os.O_WRONLY | os.O_CREAT)",
    "os.open(m + '/repo/new', os.O_RDONLY | os.O_CREAT)",
    "os.mkdir(m + '/repo/new')",
    "os.rmdir(m + '/repo/blobs')",
    "os.unlink(m + '/repo/index.json')",
    "os.rename(m + '/repo/index.json', m + '/repo/new')",
    "os.link(m + '/repo/index.json', m + '/repo/new')",
    "os.symlink('x', m + '/repo/new')",
    "os.mkfifo(m + '/repo/new')",
    "os.chmod(m + '/repo/index.json', 0o600)",
    "os.utime(m + '/repo/index.json')",
    "os.truncate(m + '/repo/index.json', 0)",
    "os.setxattr(m + '/repo/index.json', 'user.x', b'1')",
  ];

  test.each(IS_ROOT ? [0, NOBODY] : [OWN])('uid %d: every mutation is EROFS', async (uid) => {
    const results = await python(attempts(mutations), uid);
    expect(Object.fromEntries(mutations.map((call, index) => [call, results[index]]))).toEqual(
      Object.fromEntries(mutations.map((call) => [call, 'EROFS'])),
    );
  });

  test.runIf(IS_ROOT)('root: chown is EROFS', async () => {
    expect(await python(attempts(["os.chown(m + '/repo', 1, 1)"]))).toEqual(['EROFS']);
  });

  test.each(IS_ROOT ? [0, NOBODY] : [OWN])('uid %d: what cannot be read', async (uid) => {
    const calls: [string, string][] = [
      ["os.open(m + '/repo/none', 0)", 'ENOENT'],
      ["os.stat(m + '/none/none')", 'ENOENT'],
      ["os.stat(m + '/repo/index.json/x')", 'ENOTDIR'],
      ["os.listdir(m + '/repo/index.json')", 'ENOTDIR'],
      ["os.read(os.open(m + '/repo', os.O_RDONLY), 1)", 'EISDIR'],
      ["os.readlink(m + '/repo/index.json')", 'EINVAL'],
      ["os.open(m + '/bad/open', 0)", 'EACCES'],
      ["os.read(os.open(m + '/bad/read', 0), 1)", 'EIO'],
      ["os.read(os.open(m + '/bad/bug', 0), 1)", 'EIO'],
      ["os.getxattr(m + '/repo', 'user.x')", 'ENOTSUP'],
      ["os.listxattr(m + '/repo')", 'ENOTSUP'],
      ["os.access(m + '/repo/index.json', os.R_OK)", 'True'],
      ["os.access(m + '/repo/index.json', os.W_OK)", 'False'],
      ["os.access(m + '/repo/index.json', os.X_OK)", 'False'],
    ];
    const results = await python(attempts(calls.map(([call]) => call)), uid);
    expect(calls.map(([call], index) => [call, results[index]])).toEqual(calls);
  });

  test('only the bug was logged as one', async () => {
    const { errors } = await mount.report();
    expect(new Set(errors).size).toBe(1);
    expect(errors[0]).toMatch(
      TEST_TRANSPORT === 'libfuse'
        ? 'The request read of /bad/bug failed with an unexpected error and was answered EIO; this is a bug in layoutfs.'
        : /^The request read of inode \d+ failed with an unexpected error and was answered EIO;/,
    );
  });
});

test('after all this, the tree is owed nothing', async () => {
  // The kernel sends RELEASE when it likes, and FORGET when it is told to forget, if at all.
  const forget = () => run('sh', ['-c', 'echo 2 >/proc/sys/vm/drop_caches']);
  // An ordinary user cannot tell it to, but by unmounting.
  if (!IS_ROOT) await mount.unmount();
  const owed = async () => {
    if (TEST_TRANSPORT === 'kernel' && IS_ROOT) await forget();
    return (await mount.report()).owed;
  };
  await expect.poll(owed, { timeout: 15_000 }).toEqual({ references: 0, handles: 0 });
  expect(mount.stderr).toBe('');
});
