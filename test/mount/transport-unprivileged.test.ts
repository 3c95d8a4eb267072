import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';

import { probeKernel, probeLibfuse } from '../../src/fuse/open-transport.js';
import {
  COMPILED,
  compileDaemon,
  disposeMounts,
  MemoryMount,
  NOBODY,
} from './support/memory-mount.js';
import { Observer } from './support/observer.js';

/** An ordinary user mounts, over either transport, and is told what is missing. */

const run = promisify(execFile);
const files = { '/dir/file': { content: Buffer.from('text') } };

beforeAll(compileDaemon);
afterEach(disposeMounts);

describe.each(['kernel', 'libfuse'] as const)('over the transport %s', (transport) => {
  const user = { unprivileged: true, transport };

  test('an ordinary user mounts, reads and unmounts; root is not let in', async () => {
    const mount = await MemoryMount.start(files, { ...user, source: 'a,b\\c d' });
    expect(await mount.asNobody('cat', mount.path('dir/file'))).toBe('text');
    expect(await mount.asNobody('stat', '-c', '%u %g %a', mount.path('dir'))).toBe(
      `${NOBODY} ${NOBODY} 555\n`,
    );
    const table = await mount.asNobody('cat', '/proc/self/mounts');
    expect(table).toMatch(/^a,b\\134c\\040d \S+ fuse\.layoutfs ro,nosuid,nodev,/m);
    const asRoot = ['-t', String(mount.daemon.pid), '-m', '--', 'cat', mount.path('dir/file')];
    await expect(run('nsenter', asRoot)).rejects.toThrow(/Permission denied/);

    let hasEnded = false;
    const ended = mount.waitForEnd().then(() => (hasEnded = true));
    await mount.report();
    expect(hasEnded).toBe(false);
    await mount.unmount();
    await ended;
    expect(await mount.asNobody('cat', '/proc/self/mounts')).not.toContain(mount.directory);
    expect(mount.stderr).toBe('');
  });

  test('--allow-other of an ordinary user needs a line in /etc/fuse.conf', async () => {
    const mount = await MemoryMount.startDaemon(user);
    await expect(mount.mount({ transport, allowOther: true })).rejects.toThrow(
      /user_allow_other.*\/etc\/fuse\.conf/,
    );
  });

  test('--allow-other with that line lets others in, and the kernel checks modes', async () => {
    const allowed = `echo user_allow_other >"$0/fuse.conf"
      mount --bind "$0/fuse.conf" /etc/fuse.conf`;
    const mount = await MemoryMount.start(files, {
      ...user,
      allowOther: true,
      umask: 0o027,
      prepare: allowed,
    });
    const as = (uid: string, ...command: string[]) => {
      const enter = ['-t', String(mount.daemon.pid), '-m', '--', 'setpriv', '--clear-groups'];
      return run('nsenter', [...enter, '--reuid', uid, '--regid', uid, '--', ...command]);
    };
    const table = await mount.asNobody('cat', '/proc/self/mounts');
    expect(table).toMatch(/ fuse\.layoutfs ro,\S*default_permissions,allow_other/);
    expect((await as('0', 'cat', mount.path('dir/file'))).stdout).toBe('text');
    expect((await as('0', 'stat', '-c', '%a', mount.path('dir'))).stdout).toBe('550\n');
    await expect(as('4711', 'ls', mount.path('dir'))).rejects.toThrow(/Permission denied/);
  });

  test('a mountpoint of another user is refused', async () => {
    const mount = await MemoryMount.startDaemon(user);
    await run('chown', ['root', mount.directory]);
    await expect(mount.mount({ transport })).rejects.toThrow(/may not write to the mountpoint/i);
  });

  test('a mount of their own is not mounted on twice', async () => {
    const mount = await MemoryMount.start(files, user);
    await expect(mount.mount({ transport })).rejects.toThrow(/already mounted.*layoutfs umount/);
    expect(await mount.asNobody('cat', mount.path('dir/file'))).toBe('text');
  });
});

describe('the end of the process of an ordinary user', () => {
  const slow = { ...files, '/slow': { content: Buffer.from('slow'), readDelay: 60_000 } };

  test.each([
    ['exit', 7],
    ['crash', 1],
  ] as const)('by %s while it is mounted and in use leaves no mount', async (how, code) => {
    for (let round = 0; round < 5; round += 1) {
      const mount = await MemoryMount.start(slow, { unprivileged: true, transport: 'kernel' });
      const observer = await Observer.start(mount);
      const reading = mount
        .asNobody('cat', mount.path('slow'))
        .catch((error: unknown) => String(error));
      await expect.poll(async () => (await mount.report()).calls['read']).toBe(1);
      expect(await mount.leave(how)).toBe(code);
      expect(await reading).toMatch(/abort|not connected|Input\/output/i);
      expect(await observer.mounts()).not.toContain(mount.directory);
      observer.stop();
    }
  });

  test('by SIGKILL leaves a stale mount, which the next one replaces', async () => {
    const mount = await MemoryMount.start(slow, { unprivileged: true, transport: 'kernel' });
    const observer = await Observer.start(mount);
    const reading = mount
      .asNobody('cat', mount.path('slow'))
      .catch((error: unknown) => String(error));
    await expect.poll(async () => (await mount.report()).calls['read']).toBe(1);
    await mount.kill();
    expect(await reading).toMatch(/abort|not connected|Input\/output/i);
    expect(await observer.mounts()).toContain(mount.directory);
    expect(await observer.asNobody(process.execPath, '-e', CLEAN, mount.directory)).toBe('true\n');
    expect(await observer.mounts()).not.toContain(mount.directory);
    observer.stop();
  });

  test('when it was detached and is still in use', async () => {
    const mount = await MemoryMount.start(slow, { unprivileged: true, transport: 'kernel' });
    const reading = mount
      .asNobody('cat', mount.path('slow'))
      .catch((error: unknown) => String(error));
    await expect.poll(async () => (await mount.report()).calls['read']).toBe(1);
    await mount.unmount();
    expect(await mount.leave('exit')).toBe(7);
    expect(await reading).toMatch(/abort|not connected|Input\/output/i);
  });
});

const CLEAN = `import('${COMPILED}/src/fuse/mountpoint.js')
  .then(({ cleanStale }) => cleanStale(process.argv[1])).then(console.log)`;

/** What both probes say in another process, started by a command that ends in Node's own. */
async function probeBy(script: string): Promise<Record<'kernel' | 'libfuse', string[]>> {
  const probe = `import * as all from '${COMPILED}/src/fuse/open-transport.js';
    const [kernel, libfuse] = await Promise.all(
      [all.probeKernel, all.probeLibfuse].map((probe) => probe({ allowOther: true })));
    for (const { usable, problems } of [kernel, libfuse]) {
      if (usable !== (problems.length === 0)) throw new Error('usable?');
    }
    console.log(JSON.stringify({ kernel: kernel.problems, libfuse: libfuse.problems }));`;
  const node = [process.execPath, '--input-type=module', '-e', probe];
  const args = ['--mount', '--propagation', 'slave', '--', 'sh', '-ec', script, 'sh', ...node];
  return JSON.parse((await run('unshare', args)).stdout) as Record<'kernel' | 'libfuse', string[]>;
}

test('root of this machine can mount', async () => {
  const usable = { usable: true, problems: [] };
  expect(await probeKernel({ allowOther: true })).toEqual(usable);
  expect(await probeLibfuse({ allowOther: true })).toEqual(usable);
});

const asUser = `exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups -- "$@"`;
const openDevice = `mount -t tmpfs none /mnt; mknod -m 0666 /mnt/fuse c 10 229; mount --bind /mnt/fuse /dev/fuse;`;
const koffi = `${COMPILED}/../../koffi`;
const userAllowOther = /user_allow_other/;

test.each([
  [
    'a device that is closed to users',
    `mount -t tmpfs none /mnt; mknod -m 0600 /mnt/fuse c 10 229; mount --bind /mnt/fuse /dev/fuse; ${asUser}`,
    [/^The device \/dev\/fuse cannot be opened \(EACCES\).*chmod 0666/, userAllowOther],
    [/^The device \/dev\/fuse cannot be opened \(EACCES\)/, userAllowOther],
  ],
  [
    'fusermount3 without its privilege',
    `${openDevice} mount --bind /dev/null "$(readlink -f "$(command -v fusermount3)")"; ${asUser}`,
    [/fusermount3 is not set-user-ID root/, userAllowOther],
    [/fusermount is not set-user-ID root/, userAllowOther],
  ],
  [
    'no fusermount3',
    `${openDevice} PATH=/nonexistent; exec /usr/bin/setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups -- "$@"`,
    [/program fusermount3, .*, is not installed; .*apt-get install fuse3/, userAllowOther],
    [/program fusermount, .*, is not installed/, userAllowOther],
  ],
  [
    'no koffi',
    `${openDevice} mount -t tmpfs none ${koffi}; ${asUser}`,
    [/npm package koffi is not installed.*npm install koffi@3/, userAllowOther],
    [userAllowOther],
  ],
  ['no koffi, for root', `mount -t tmpfs none ${koffi}; exec "$@"`, [], []],
  [
    'no device',
    'mount -t tmpfs none /dev; exec "$@"',
    [/^The device \/dev\/fuse is missing.*modprobe fuse.*--device \/dev\/fuse/],
    [/^The device \/dev\/fuse is missing/],
  ],
  [
    'no capability',
    'exec setpriv --bounding-set -sys_admin --inh-caps -sys_admin -- "$@"',
    [/lacks the capability CAP_SYS_ADMIN/],
    [/lacks the capability CAP_SYS_ADMIN/],
  ],
  [
    'no libfuse.so.2',
    `for f in $(ldconfig -p | sed -n 's/.*libfuse.so.2.*=> //p'); do mount --bind /dev/null "$(readlink -f $f)"; done; exec "$@"`,
    [],
    [/libfuse\.so\.2/],
  ],
])('the probes say what is wrong: %s', async (_, script, kernel, libfuse) => {
  const found = await probeBy(script);
  expect(found).toEqual({
    kernel: kernel.map((problem) => expect.stringMatching(problem) as string),
    libfuse: libfuse.map((problem) => expect.stringMatching(problem) as string),
  });
});

describe('a mount that is refused says the same', () => {
  test.each([
    ['without koffi', `mount -t tmpfs none ${koffi}`, /cannot be mounted.*npm install koffi@3/],
    ['with a closed device', 'chmod 600 "$0/fuse"', /cannot be mounted.*chmod 0666 \/dev\/fuse/],
    [
      'without fusermount3',
      'PATH=$PATH:/usr/bin; mount --bind /dev/null "$(readlink -f "$(command -v fusermount3)")"',
      /cannot be mounted.*not set-user-ID root/,
    ],
  ])('%s', async (_, prepare, reason) => {
    const mount = await MemoryMount.startDaemon({ unprivileged: true, prepare });
    await expect(mount.mount({ transport: 'kernel' })).rejects.toThrow(reason);
    await mount.letGo();
  });

  test('what fusermount3 itself refuses', async () => {
    const prepare = `echo mount_max = 0 >"$0/fuse.conf"; mount --bind "$0/fuse.conf" /etc/fuse.conf`;
    const mount = await MemoryMount.startDaemon({ unprivileged: true, prepare });
    await expect(mount.mount({ transport: 'kernel' })).rejects.toThrow(
      /too many FUSE filesystems mounted.*raise "mount_max"/,
    );
  });
});

describe('auto', () => {
  test('is kernel where it works', async () => {
    const mount = await MemoryMount.startDaemon({ unprivileged: true });
    expect(await mount.mount({ transport: 'auto' })).toBe('kernel');
  });

  test('is libfuse where kernel does not, and says why', async () => {
    const prepare = `mount -t tmpfs none ${koffi}`;
    const mount = await MemoryMount.startDaemon({ unprivileged: true, prepare });
    expect(await mount.mount({ transport: 'auto' })).toBe('libfuse');
    expect((await mount.report()).notes).toEqual([
      expect.stringMatching(/^The transport "libfuse" is used, because .*npm install koffi@3$/),
    ]);
  });

  test('says of both what is missing where neither works', async () => {
    const prepare = `mount -t tmpfs none ${koffi}; mount -t tmpfs none ${koffi}/../fuse-native`;
    const mount = await MemoryMount.startDaemon({ unprivileged: true, prepare });
    await expect(mount.mount({ transport: 'auto' })).rejects.toThrow(
      /^No transport to the kernel works here\. .*koffi.*fuse-native/,
    );
  });
});
