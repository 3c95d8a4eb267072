import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterEach, beforeAll, expect, test } from 'vitest';

import { compileDaemon, disposeMounts, MemoryMount } from './support/memory-mount.js';

/** Readers that are interrupted or killed, and inodes that are forgotten under them. */

const run = promisify(execFile);
const { O_RDONLY, O_DIRECT } = constants;

beforeAll(compileDaemon);
afterEach(disposeMounts);

const calls = async (mount: MemoryMount, kind: string) => (await mount.report()).calls[kind] ?? 0;
const nothingOwed = (mount: MemoryMount) =>
  expect
    .poll(async () => (await mount.report()).owed.handles, { timeout: 30_000, interval: 100 })
    .toBe(0);

/** Have the kernel forget all that it can of this mount, and of no other. */
const forgetAll = (mount: MemoryMount) =>
  run('mount', ['-i', '-o', 'remount,ro,nosuid,nodev', mount.directory]);

test('a signal does not end a read that waits: no EINTR, no byte is missing', async () => {
  const content = Buffer.alloc(300_000, 's');
  const mount = await MemoryMount.start({ '/slow': { content, readDelay: 300 } });
  // sysread is read(2), and Perl installs its handlers without SA_RESTART.
  const code = `
    $SIG{USR1} = sub { $signals++ };
    $| = 1; print 'ready: ';
    sysopen F, shift, $ARGV[0] or die "open: $!";
    for (;;) {
      $count = sysread F, $bytes, 70_000;
      die "read: $!" unless defined $count;
      last unless $count;
      $sum += $count;
      die "other bytes" if $bytes =~ /[^s]/;
    }
    print "$sum ", $signals ? "in spite of signals" : "without a signal";`;
  // Through the kernel's pages, and past them.
  for (const mode of [O_RDONLY, O_DIRECT]) {
    const reader = spawn('perl', ['-e', code, mount.path('slow'), String(mode)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exit = once(reader, 'exit');
    let said = '';
    for (const stream of [reader.stdout, reader.stderr]) {
      stream.on('data', (text: Buffer) => (said += text.toString()));
    }
    // Before it has its handler, a signal would end it.
    await expect.poll(() => said, { timeout: 20_000 }).toBe('ready: ');
    const timer = setInterval(() => reader.kill('SIGUSR1'), 5);
    await exit;
    clearInterval(timer);
    await expect.poll(() => said).toBe('ready: 300000 in spite of signals');
  }
});

test('a reader that is killed in the middle of a read is gone at once, and takes nobody along', async () => {
  const slow = { content: Buffer.from('slow'), readDelay: 6000 };
  // One file for each: whoever opens a file anew waits in the kernel for the reads of others, for
  // their pages must go first.
  const names = ['/slow/1', '/slow/2', '/slow/3', '/slow/4'];
  const mount = await MemoryMount.start({
    ...Object.fromEntries(names.map((name) => [name, slow])),
    '/other': { content: Buffer.from('other') },
  });
  const readers = names.map((name) => {
    const reader = spawn('cat', [mount.path(name)], { stdio: 'ignore' });
    return { reader, exit: once(reader, 'exit') };
  });
  await expect.poll(async () => (await mount.report()).owed.handles).toBe(4);
  await expect.poll(() => calls(mount, 'read')).toBe(4);
  for (const { reader } of readers) reader.kill('SIGKILL');
  for (const { exit } of readers) expect(await exit).toEqual([null, 'SIGKILL']);
  // The read is not answered yet: they did not wait for it.
  expect((await mount.report()).owed.handles).toBe(4);
  expect((await run('cat', [mount.path('other')])).stdout).toBe('other');
  await nothingOwed(mount);
  await mount.alter('/slow/1', { content: slow.content });
  expect((await run('cat', [mount.path('slow/1')])).stdout).toBe('slow');
  expect((await mount.report()).errors).toEqual([]);
});

test('readers that are killed at any moment leave nothing behind', async () => {
  const files = Array.from({ length: 30 }, (_, index) => `/d/${index}`);
  const mount = await MemoryMount.start(
    Object.fromEntries(
      files.map((path) => [path, { content: Buffer.alloc(200_000, 'x'), readDelay: 3 }]),
    ),
  );
  const script = 'while :; do cat "$1"/* >/dev/null; ls -l "$1" >/dev/null; done';
  for (let round = 0; round < 25; round += 1) {
    const reader = spawn('sh', ['-c', script, 'sh', mount.path('d')], {
      stdio: 'ignore',
      detached: true,
    });
    const exit = once(reader, 'exit');
    await new Promise((resolve) => setTimeout(resolve, 7 * (round % 9)));
    if (reader.pid !== undefined) process.kill(-reader.pid, 'SIGKILL');
    await exit;
  }
  expect((await run('sh', ['-c', 'cat "$1"/* | wc -c', 'sh', mount.path('d')])).stdout).toBe(
    `${files.length * 200_000}\n`,
  );
  await nothingOwed(mount);
  expect((await mount.report()).errors).toEqual([]);
});

test('inodes are forgotten all the time while readers work', async () => {
  const names = Array.from({ length: 500 }, (_, index) => `${index}`);
  const mount = await MemoryMount.start(
    Object.fromEntries(
      names.map((name) => [`/d/${name}`, { content: Buffer.from(name), timeout: Infinity }]),
    ),
  );
  await writeFile(mount.names, names.join('\n'));
  // Each file's content is its name.
  const code = `
    ($directory, $list) = @ARGV;
    open $names, $list; chomp(@names = <$names>);
    for $round (1 .. 3) {
      for $name (@names) {
        -s "$directory/$name" == length $name or die "stat $name: $!";
        open $file, "$directory/$name" or die "open $name: $!";
        $read = <$file>;
        $read eq $name or die "read $name: $read $!";
      }
      opendir $d, $directory or die "opendir: $!";
      @found = readdir $d;
      @found == @names + 2 or die scalar @found, " names";
    }
    print "well";`;
  const readers = Array.from({ length: 3 }, () =>
    run('perl', ['-e', code, mount.path('d'), mount.names]),
  );
  const done = new AbortController();
  const work = Promise.all(readers).finally(() => done.abort());
  let storms = 0;
  for (; !done.signal.aborted; storms += 1) await forgetAll(mount);
  expect((await work).map(({ stdout }) => stdout)).toEqual(readers.map(() => 'well'));
  expect(storms).toBeGreaterThan(5);
  const { requests } = await mount.report();
  // libfuse passes none on.
  const forgets = (requests['forget'] ?? 0) + (requests['batch_forget'] ?? 0);
  if (requests['batch_forget'] !== undefined) expect(forgets).toBeGreaterThan(50);
  await nothingOwed(mount);
  await forgetAll(mount);
  await expect.poll(async () => (await mount.report()).owed.references).toBe(0);
  expect((await mount.report()).errors).toEqual([]);
});
