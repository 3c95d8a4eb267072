import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { IS_ROOT, TEST_TRANSPORT } from './support/memory-mount.js';
import type { MountStatus } from '../../src/daemon/status.js';
import { type UnpackedState, unpackZotState } from '../fixtures/unpack.js';
import { type Outcome, run } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';

const LAYOUTFS = join(import.meta.dirname, '../../bin/layoutfs');

let bucket: UnpackedState;
let source: string;
let home: string;
let mountpoint: string;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  bucket = await unpackZotState('S4');
  source = `file://${bucket.directory}`;
});
afterAll(() => bucket.remove());

beforeEach(async () => {
  home = await makeTemporaryDirectory('cli');
  mountpoint = join(home, 'mnt');
  await mkdir(mountpoint);
  await mkdir(join(home, 'run'), { mode: 0o700 });
  environment = {
    XDG_RUNTIME_DIR: join(home, 'run'),
    LAYOUTFS_STATE_DIR: join(home, 'state'),
  };
});

afterEach(async () => {
  if (await isMounted()) await run('umount', ['-l', mountpoint]);
  await rm(home, { recursive: true, force: true });
});

const layoutfs = (...args: string[]): Promise<Outcome> => run(LAYOUTFS, args, { env: environment });

const isMounted = async () => (await run('findmnt', ['--mountpoint', mountpoint])).code === 0;

const names = async () => (await run('ls', [mountpoint])).stdout.split('\n').filter(Boolean);

async function status(): Promise<MountStatus> {
  const { stdout } = await layoutfs('status', '--json', mountpoint);
  return JSON.parse(stdout) as MountStatus;
}

const quiet = { code: 0, stdout: '', stderr: '' };

describe('a mount', () => {
  it('answers when the command returns, says how it is, and is gone after umount', async () => {
    expect(await layoutfs('mount', source, mountpoint)).toEqual(quiet);
    expect(await names()).toContain('zeta');
    const { pid, ...rest } = await status();
    expect(rest).toMatchObject({
      mountpoint,
      source,
      state: 'ready',
      transport: TEST_TRANSPORT,
      store: { healthy: true },
      log: expect.stringContaining(join(home, 'state', 'log')) as string,
    });
    const all = await layoutfs('status');
    expect(all.stdout).toContain(`${mountpoint}  ${source}  ready, pid ${pid}\n`);
    expect((await layoutfs('status', mountpoint)).stdout).toMatch(
      new RegExp(`^transport {4}${TEST_TRANSPORT}$`, 'm'),
    );
    expect(await layoutfs('umount', mountpoint)).toEqual(quiet);
    expect(await isMounted()).toBe(false);
    // A daemon that has ended may still be a zombie where process 1 is slow to wait for it.
    const state = await run('ps', ['-o', 'state=', '-p', String(pid)]);
    expect(state.stdout.trim()).toMatch(/^Z?$/);
    expect((await run('ls', [join(home, 'run/layoutfs')])).stdout).toBe('');
  });

  it.each(['SIGTERM', 'SIGINT'])('ends cleanly at %s', async (signal) => {
    await layoutfs('mount', source, mountpoint);
    process.kill((await status()).pid, signal);
    await expect.poll(isMounted, { timeout: 10_000 }).toBe(false);
    expect((await run('ls', [mountpoint])).stdout).toBe('');
  });

  it('shows at SIGHUP at once what --refresh would show later', async () => {
    const root = join(home, 'registry');
    await mkdir(root);
    await run('cp', ['-a', join(bucket.directory, 'a-b'), root]);
    await layoutfs('mount', '--refresh', '1h', `file://${root}`, mountpoint);
    expect(await names()).toEqual(['a-b']);
    await run('cp', ['-a', join(bucket.directory, 'z'), root]);
    expect(await names()).toEqual(['a-b']);
    process.kill((await status()).pid, 'SIGHUP');
    await expect.poll(names, { timeout: 10_000 }).toEqual(['a-b', 'z']);
  });

  it('stays in the foreground with -f, and ends with it', async () => {
    const foreground = run(LAYOUTFS, ['mount', '-f', source, mountpoint], { env: environment });
    await expect.poll(isMounted, { timeout: 20_000 }).toBe(true);
    const asked = async () => (await layoutfs('status', mountpoint)).code;
    await expect.poll(asked, { timeout: 30_000 }).toBe(0);
    expect((await layoutfs('umount', mountpoint)).code).toBe(0);
    const { code, stdout, stderr } = await foreground;
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('"msg":"Mounted."');
  });

  it('ends when somebody else unmounts it', async () => {
    await layoutfs('mount', source, mountpoint);
    const { pid } = await status();
    await run('umount', [mountpoint]);
    await expect
      .poll(async () => (await run('ps', ['-o', 'state=', '-p', String(pid)])).stdout.trim())
      .toMatch(/^Z?$/);
  });

  it('takes options from a file, the environment and -o, flags first', async () => {
    const config = join(home, 'options.yaml');
    await writeFile(config, 'include: [a-b, z]\nlog-level: debug\nlog: /nowhere/log\n');
    const { code } = await run(
      LAYOUTFS,
      ['mount', '--config', config, '-o', `log=${home}/log,ro,_netdev`, source, mountpoint],
      { env: { ...environment, LAYOUTFS_INCLUDE: 'z' } },
    );
    expect(code).toBe(0);
    expect(await names()).toEqual(['z']);
    expect((await status()).log).toBe(`${home}/log`);
    expect((await run('cat', [`${home}/log`])).stdout).toContain('The store was asked.');
  });

  it('shows files of an owner and with permissions as asked for', async () => {
    const options = 'uid=1234,gid=567,umask=0137,allow_other';
    expect(await layoutfs('mount', '-o', options, source, mountpoint)).toEqual(quiet);
    // Nobody but root may enter a directory of theirs with these modes.
    expect((await run('stat', ['-c', '%u %g %A', mountpoint])).stdout).toBe(
      '1234 567 dr--r-----\n',
    );
    if (!IS_ROOT) return;
    const shown = ['-c', '%u %g %A', join(mountpoint, 'a-b'), join(mountpoint, 'a-b/index.json')];
    expect((await run('stat', shown)).stdout).toBe('1234 567 dr--r-----\n1234 567 -r--r-----\n');
  });

  it.runIf(IS_ROOT)('is made by mount -t layoutfs, as fstab has it', async () => {
    const helper = '/sbin/mount.layoutfs';
    await rm(helper, { force: true });
    await symlink(LAYOUTFS, helper);
    try {
      const options = 'defaults,nofail,_netdev,x-systemd.automount,include=z';
      const mounted = await run('mount', ['-t', 'layoutfs', '-o', options, source, mountpoint], {
        env: environment,
      });
      expect(mounted).toEqual(quiet);
      expect(await names()).toEqual(['z']);
      const mistake = await run(
        'mount',
        ['-t', 'layoutfs', '-o', 'incluse=z', source, mountpoint],
        {
          env: environment,
        },
      );
      expect(mistake.code).not.toBe(0);
      expect(mistake.stderr).toContain(
        '-o incluse: there is no such option. Did you mean "include"?',
      );
    } finally {
      await rm(helper, { force: true });
    }
  });

  it('takes its source from a zot configuration, with its sub-paths', async () => {
    const config = join(home, 'config.json');
    const team = join(home, 'team-store');
    await mkdir(team);
    await run('cp', ['-a', join(bucket.directory, 'team'), team]);
    const storage = {
      rootDirectory: bucket.directory,
      subPaths: { '/team': { rootDirectory: team } },
    };
    await writeFile(config, JSON.stringify({ storage }));
    expect(await layoutfs('mount', '--zot-config', config, mountpoint)).toMatchObject({ code: 0 });
    expect(await names()).toContain('zeta');
    expect((await run('ls', [join(mountpoint, 'team')])).stdout).toBe('beta\n');
    expect((await status()).registry).toContain(team);
  });
});

describe('a mountpoint', () => {
  it('that is stale is explained, recovered by mount, and taken away by umount', async () => {
    for (const recover of [
      () => layoutfs('mount', source, mountpoint),
      () => layoutfs('umount', mountpoint),
    ]) {
      if (!(await isMounted())) await layoutfs('mount', source, mountpoint);
      process.kill((await status()).pid, 'SIGKILL');
      await expect
        .poll(async () => (await run('ls', [mountpoint])).stderr)
        .toContain('Transport endpoint is not connected');
      const explained = await layoutfs('status', mountpoint);
      expect(explained).toMatchObject({
        code: 1,
        stderr: `layoutfs: The mount on ${mountpoint} is stale: its daemon was killed. Take it away with: layoutfs umount ${mountpoint}\n`,
      });
      const all = await layoutfs('status');
      expect(all).toMatchObject({ code: 1, stderr: '' });
      expect(all.stdout).toContain(`The mount on ${mountpoint} is stale: `);
      expect((await recover()).code).toBe(0);
    }
    expect(await isMounted()).toBe(false);
  });

  it('is not mounted on twice', async () => {
    await layoutfs('mount', source, mountpoint);
    expect(await layoutfs('mount', source, mountpoint)).toEqual({
      code: 1,
      stdout: '',
      stderr: `layoutfs: A layoutfs of ${source} is already mounted on ${mountpoint}; unmount it first with: layoutfs umount ${mountpoint}\n`,
    });
    expect(await names()).toContain('zeta');
  });

  it('may be named by a link, a relative path, or with a slash at its end', async () => {
    await symlink(mountpoint, join(home, 'link'));
    expect(await layoutfs('mount', source, join(home, 'link'))).toEqual(quiet);
    const cwd = { env: environment, cwd: home };
    expect((await run(LAYOUTFS, ['status', 'mnt/'], cwd)).code).toBe(0);
    expect((await run(LAYOUTFS, ['umount', './link'], cwd)).code).toBe(0);
    expect(await isMounted()).toBe(false);
  });

  it('that is busy is left mounted, and detached with --lazy', async () => {
    await layoutfs('mount', source, mountpoint);
    const reader = spawn('sleep', ['600'], { cwd: mountpoint, stdio: 'ignore' });
    await once(reader, 'spawn');
    const busy = await layoutfs('umount', mountpoint);
    expect(busy).toMatchObject({ code: 1 });
    expect(busy.stderr).toMatch(/^layoutfs: .* is busy: .*fuser -vm .*\n$/);
    expect(await isMounted()).toBe(true);
    expect(await layoutfs('umount', '--lazy', mountpoint)).toEqual(quiet);
    expect(await isMounted()).toBe(false);
    const waiting = /detached, ends with its last reader/;
    expect((await layoutfs('status')).stdout).toMatch(waiting);
    expect((await layoutfs('status', mountpoint)).stdout).toMatch(waiting);
    expect((await status()).state).toBe('detached');
    // A second mount at the same place is another one.
    await layoutfs('mount', source, mountpoint);
    expect((await status()).state).toBe('ready');
    reader.kill();
    const listed = async () => (await layoutfs('status')).stdout;
    await expect.poll(listed, { timeout: 30_000 }).not.toMatch(waiting);
  });
});

it.runIf(IS_ROOT)(
  'a mount whose daemon hangs is unmounted, and its readers wait no longer',
  async () => {
    await layoutfs('mount', source, mountpoint);
    const { pid } = await status();
    process.kill(pid, 'SIGSTOP');
    try {
      const reader = spawn('ls', ['-R', mountpoint], { stdio: 'ignore' });
      const ended = once(reader, 'exit');
      expect(await layoutfs('umount', mountpoint)).toEqual(quiet);
      const [code] = (await ended) as [number | null];
      expect(code).not.toBe(0);
      expect(await isMounted()).toBe(false);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    // Its device is closed by the kernel, so it has nothing more to do.
    await expect
      .poll(async () => (await run('ps', ['-o', 'state=', '-p', String(pid)])).stdout, {
        timeout: 30_000,
      })
      .toMatch(/^Z?\s*$/);
  },
);

it.runIf(IS_ROOT)('a mount of another user is not unmounted, but said whose it is', async () => {
  await chmod(home, 0o755);
  await layoutfs('mount', '--allow-other', source, mountpoint);
  const asNobody = (...words: string[]) =>
    run(
      'setpriv',
      ['--reuid=65534', '--regid=65534', '--clear-groups', LAYOUTFS, ...words, mountpoint],
      { env: { XDG_RUNTIME_DIR: '', HOME: '/nonexistent' } },
    );
  expect(await asNobody('umount')).toEqual({
    code: 1,
    stdout: '',
    stderr: `layoutfs: The mount on ${mountpoint} belongs to user 0 (root): unmount it as that user or as root, with: sudo layoutfs umount ${mountpoint}\n`,
  });
  expect(await asNobody('status')).toMatchObject({
    code: 1,
    stderr: `layoutfs: The mount on ${mountpoint} cannot be asked: it belongs to user 0 (root).\n`,
  });
});

it('a mount that is odd but possible is made with a note', async () => {
  mountpoint = join(home, 'a:b');
  await mkdir(mountpoint);
  const mounted = await layoutfs('mount', '-o', 'rw', source, mountpoint);
  expect(mounted).toMatchObject({ code: 0, stdout: '' });
  expect(mounted.stderr).toMatch(
    /^layoutfs: The mount is read-only[^\n]*\nlayoutfs: The mountpoint [^\n]*a:b has a ":" in it[^\n]*\n$/,
  );
});

it('a registry copied below a prefix is mounted with a hint at its root', async () => {
  const root = join(home, 'registry');
  await mkdir(join(root, 'eu/zot/zot'), { recursive: true });
  await run('cp', ['-a', join(bucket.directory, 'a-b'), join(root, 'eu/zot/zot')]);
  const hint = `layoutfs: All repositories lie below eu/zot/zot: name it in the source (file://${root}/eu/zot/zot) or use --root eu/zot/zot if that is your registry's root.\n`;
  expect(await layoutfs('mount', `file://${root}`, mountpoint)).toEqual({ ...quiet, stderr: hint });
  expect(await names()).toEqual(['eu']);
  expect((await layoutfs('status', mountpoint)).stdout).toContain('All repositories lie below');
  expect(await layoutfs('ls', root)).toMatchObject({ code: 0, stderr: hint });
});

describe('a mount that cannot be made says why, and leaves nothing behind', () => {
  afterEach(async () => {
    expect(await isMounted()).toBe(false);
    expect((await run('ls', ['-A', join(home, 'run')])).stdout).not.toContain('.sock');
  });

  const failing: [string, () => Promise<string[]> | string[], number, RegExp][] = [
    [
      'an absent mountpoint',
      () => [source, `${home}/no`],
      1,
      /\/no does not exist; make it with: mkdir -p/,
    ],
    ['a mountpoint that is a file', () => [source, '/etc/passwd'], 1, /is not a directory; choose/],
    [
      'a mountpoint with something in it',
      () => [source, home],
      1,
      /is not empty; what is in it would be hidden/,
    ],
    [
      'a directory that is not there',
      () => ['file:///nowhere', mountpoint],
      1,
      /There is no directory "\/nowhere"/,
    ],
    [
      'a source that is nothing',
      () => ['nowhere', mountpoint],
      2,
      /There is no directory "nowhere"/,
    ],
    [
      'a distribution registry',
      async () => {
        const root = join(home, 'distribution');
        await mkdir(join(root, 'docker/registry/v2/repositories/r/_manifests'), {
          recursive: true,
        });
        await writeFile(join(root, 'docker/registry/v2/repositories/r/_manifests/x'), 'x');
        return [root, mountpoint];
      },
      2,
      /is the storage of a registry of the distribution project/,
    ],
    [
      'a root that is not there',
      () => ['--root', 'no', source, mountpoint],
      2,
      /Nothing is stored below the root no/,
    ],
    [
      'layouts at two levels',
      async () => {
        const root = join(home, 'two');
        await mkdir(join(root, 'zot/zot'), { recursive: true });
        await run('cp', ['-a', join(bucket.directory, 'a-b'), join(root, 'zot')]);
        await run('cp', ['-a', join(bucket.directory, 'z'), join(root, 'zot/zot')]);
        return [root, mountpoint];
      },
      2,
      /Name the right one with --root zot\/zot or --root zot\./,
    ],
    [
      'a state directory that cannot be made',
      () => ['--state-dir', '/proc/no/state', source, mountpoint],
      1,
      /The state directory \/proc\/no\/state cannot be made/,
    ],
    [
      'a log that cannot be written',
      () => ['--log', '/proc/no/log', source, mountpoint],
      1,
      /\/proc\/no/,
    ],
    [
      'a journal that is not there',
      () => ['--log', 'journal', source, mountpoint],
      1,
      /The systemd journal does not answer/,
    ],
    [
      'an endpoint that cannot be reached',
      () => ['s3://some-bucket?endpoint=http://127.0.0.1:1&anonymous=true&region=x', mountpoint],
      1,
      /127\.0\.0\.1:1/,
    ],
    [
      'a mountpoint in the source itself',
      async () => {
        const root = join(home, 'around');
        await mkdir(join(root, 'r/mnt'), { recursive: true });
        await writeFile(join(root, 'r/oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
        await writeFile(join(root, 'r/index.json'), '{"schemaVersion":2,"manifests":[]}');
        await symlink(root, join(home, 'link'));
        return [join(home, 'link'), join(root, 'r/mnt')];
      },
      2,
      /\/around\/r\/mnt lies in the source file:.*\/link, .* Choose a mountpoint outside of it/,
    ],
    [
      'a mountpoint in the cache',
      async () => {
        const cache = join(home, 'cache');
        await mkdir(join(cache, 'lost+found'), { recursive: true });
        return ['--cache-dir', cache, source, join(cache, 'lost+found')];
      },
      2,
      /\/cache\/lost\+found lies in the cache directory .* Choose a mountpoint outside of it/,
    ],
    [
      'a mountpoint that is to be the cache, too',
      async () => {
        const cache = join(home, 'both');
        await mkdir(cache);
        return ['--cache-dir', cache, source, cache];
      },
      2,
      /\/both lies in the cache directory .* Choose a mountpoint outside of it/,
    ],
    [
      'a cache in the source',
      async () => {
        const root = join(home, 'holding');
        await mkdir(join(root, 'r'), { recursive: true });
        return ['--cache-dir', join(root, 'r/new/cache'), root, mountpoint];
      },
      2,
      /The cache directory .*\/holding\/r\/new\/cache lies in the source file:.*\/holding, .* Choose a directory outside/,
    ],
    [
      'a zot configuration that is none',
      async () => {
        await writeFile(join(home, 'config.json'), '{}');
        return ['--zot-config', join(home, 'config.json'), mountpoint];
      },
      2,
      /has no "storage" section/,
    ],
  ];

  it.each(failing)('%s', async (_, words, code, message) => {
    const outcome = await layoutfs('mount', ...(await words()));
    expect(outcome.stderr).toMatch(/^layoutfs: [^\n]+\n$/);
    expect(outcome.stderr).toMatch(message);
    expect(outcome).toMatchObject({ code, stdout: '' });
  });

  it.runIf(IS_ROOT)('an unreadable mountpoint, for an ordinary user', async () => {
    const closed = join(home, 'closed');
    await mkdir(closed, { mode: 0o700 });
    await chmod(home, 0o755);
    const outcome = await run(
      'setpriv',
      ['--reuid=65534', '--regid=65534', '--clear-groups', LAYOUTFS, 'mount', '/', closed],
      { env: { ...environment, LAYOUTFS_STATE_DIR: '/nonexistent', HOME: '/nonexistent' } },
    );
    expect(outcome).toMatchObject({ code: 1, stdout: '' });
    expect(outcome.stderr).toBe(
      `layoutfs: The mountpoint ${closed} cannot be accessed (EACCES); choose a directory that you may read and write.\n`,
    );
  });

  it('a mount that is interrupted while it starts', async () => {
    // A server that accepts and never answers.
    const { createServer } = await import('node:net');
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const hanging = `s3://some-bucket?endpoint=http://127.0.0.1:${port}&anonymous=true&region=x`;
    try {
      const outcome = await run(
        'timeout',
        ['--foreground', '-s', 'INT', '3', LAYOUTFS, 'mount', hanging, mountpoint],
        {
          env: environment,
        },
      );
      expect(outcome.stderr).toMatch(/^layoutfs: The mount was interrupted[^\n]*\.\n$/);
      const limited = await layoutfs('mount', '--request-timeout', '500ms', hanging, mountpoint);
      expect(limited).toMatchObject({ code: 1, stdout: '' });
      expect(limited.stderr).toMatch(/^layoutfs: .* took too long: no answer came within 500 ms\./);
    } finally {
      server.close();
    }
  });
});

it('status and umount of what is no mount of ours', async () => {
  expect(await layoutfs('status', mountpoint)).toEqual({
    code: 1,
    stdout: '',
    stderr: `layoutfs: No layoutfs is mounted on ${mountpoint}.\n`,
  });
  expect(await layoutfs('umount', mountpoint)).toEqual({
    code: 1,
    stdout: '',
    stderr: `layoutfs: Nothing is mounted on ${mountpoint}.\n`,
  });
  expect(await layoutfs('umount', '/proc')).toMatchObject({
    code: 1,
    stderr:
      'layoutfs: What is mounted on /proc is no layoutfs but proc (proc): use umount /proc.\n',
  });
});

it('a command whose reader has seen enough ends quietly', async () => {
  const outcome = await run(
    'bash',
    ['-o', 'pipefail', '-c', `"${LAYOUTFS}" ls "${source}" | head -1`],
    {
      env: environment,
    },
  );
  expect(outcome).toEqual({ code: 0, stdout: 'a\n', stderr: '' });
});
