import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeAll, expect, test } from 'vitest';

import { probeLibfuse } from '../../src/fuse/open-transport.js';
import {
  COMPILED,
  compileDaemon,
  disposeMounts,
  MemoryMount,
  NOBODY,
} from './support/memory-mount.js';

/** An ordinary user mounts, and is told what is missing; only `libfuse` mounts for one. */

const transport = 'libfuse';

const run = promisify(execFile);
const files = { '/dir/file': { content: Buffer.from('text') } };

beforeAll(compileDaemon);
afterEach(disposeMounts);

test('an ordinary user mounts, reads and unmounts; root is not let in', async () => {
  const mount = await MemoryMount.start(files, {
    source: 'a,b\\c d',
    unprivileged: true,
    transport,
  });
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
  const mount = await MemoryMount.startDaemon({ unprivileged: true, transport });
  await expect(mount.mount({ transport, allowOther: true })).rejects.toThrow(
    /user_allow_other.*\/etc\/fuse\.conf/,
  );
});

test('a mountpoint of another user is refused', async () => {
  const mount = await MemoryMount.startDaemon({ unprivileged: true, transport });
  await run('chown', ['root', mount.directory]);
  await expect(mount.mount({ transport })).rejects.toThrow(/may not write to the mountpoint/);
});

test('over the transport kernel, an ordinary user is told what to do', async () => {
  const mount = await MemoryMount.startDaemon({ unprivileged: true });
  await expect(mount.mount({ transport: 'kernel' })).rejects.toThrow(
    /mounts for root only: mount as root, or use the transport "libfuse"/,
  );
});

/** What `probeLibfuse` says in another process, started by a command that ends in Node's own. */
async function probeBy(script: string): Promise<unknown> {
  const probe = `import { probeLibfuse } from '${COMPILED}/src/fuse/open-transport.js';
    console.log(JSON.stringify(await probeLibfuse({ allowOther: true })));`;
  const node = [process.execPath, '--input-type=module', '-e', probe];
  const args = ['--mount', '--propagation', 'slave', '--', 'sh', '-ec', script, 'sh', ...node];
  return JSON.parse((await run('unshare', args)).stdout) as unknown;
}

test('root of this machine can mount', async () => {
  expect(await probeLibfuse({ allowOther: true })).toEqual({ usable: true, problems: [] });
});

const asUser = `exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups -- "$@"`;

test.each([
  [
    'a user of this kind',
    `mount -t tmpfs none /mnt; mknod -m 0600 /mnt/fuse c 10 229; mount --bind /mnt/fuse /dev/fuse; ${asUser}`,
    [/^The device \/dev\/fuse cannot be opened \(EACCES\)/, /user_allow_other/],
  ],
  [
    'fusermount hidden',
    `mount -t tmpfs none /mnt; mknod -m 0666 /mnt/fuse c 10 229; mount --bind /mnt/fuse /dev/fuse;
     mount --bind /dev/null "$(readlink -f "$(command -v fusermount)")"; ${asUser}`,
    [/fusermount is not set-user-ID root/, /user_allow_other/],
  ],
  ['no device', 'mount -t tmpfs none /dev; exec "$@"', [/^The device \/dev\/fuse is missing/]],
  [
    'no capability',
    'exec setpriv --bounding-set -sys_admin --inh-caps -sys_admin -- "$@"',
    [/lacks the capability CAP_SYS_ADMIN/],
  ],
  [
    'no libfuse.so.2',
    `for f in $(ldconfig -p | sed -n 's/.*libfuse.so.2.*=> //p'); do mount --bind /dev/null "$(readlink -f $f)"; done; exec "$@"`,
    [/libfuse\.so\.2/],
  ],
])('the probe says what is wrong: %s', async (_, script, problems) => {
  const found = (await probeBy(script)) as { usable: boolean; problems: string[] };
  expect(found.usable).toBe(false);
  expect(found.problems).toHaveLength(problems.length);
  problems.forEach((problem, index) => expect(found.problems[index]).toMatch(problem));
});
