import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { keysOf } from '../images/layouts.js';
import { run } from '../support/run.js';
import { blobCase } from './support/blob-case.js';
import { isMounted, makeSandbox, type Sandbox } from './support/command.js';
import { type FaultyStore, startFaultyStore } from './support/faulty-store.js';
import { HeldFile } from './support/held-file.js';
import { corpusOf } from './support/images.js';
import { EIO, readWhole, rightReading } from './support/whole-readers.js';

const MiB = 1024 ** 2;
const BLOB = blobCase('layer', 20 * MiB);
const SMALL = blobCase('small', 5000);

/** How long a daemon that was told to end may take, with a reader in the middle of a request. */
const END_MS = 15_000;

let store: FaultyStore;

beforeAll(async () => {
  store = await startFaultyStore(keysOf(corpusOf({ app: [BLOB.image, SMALL.image] }), 'shared'));
});
afterEach(() => store.proxy.heal());
afterAll(() => store.stop());

describe('a daemon that is killed with a reader inside', () => {
  it('ends its readers, and the next mount on that directory takes away what it left', async () => {
    const sandbox = await mounted();
    const pid = await daemonOf(sandbox);
    const reader = await hold(sandbox);
    store.proxy.add({ kind: 'hangBeforeHead' }, { key: BLOB.key });
    const reading = reader.read(5 * MiB, 10 * MiB);
    await sleep(300);
    process.kill(pid, 'SIGKILL');
    // ECONNABORTED to who waits, ENOTCONN to who comes later: an end, not a hang.
    expect(['ECONNABORTED', 'ENOTCONN', 'EIO']).toContain(await reading);
    store.proxy.heal();
    expect(await readWhole('cat', path(sandbox))).toEqual({ ok: false, error: 'ENOTCONN' });
    const status = await sandbox.layoutfs('status', sandbox.mountpoint);
    expect(status.code).toBe(1);
    expect(status.stderr).toMatch(/stale.*layoutfs umount/);

    const again = await sandbox.mount(store.source);
    expect(again.stderr).toBe('');
    expect(again.code).toBe(0);
    expect(await readWhole('cat', path(sandbox))).toEqual(rightReading(BLOB.hex));
    expect(await mountsOn(sandbox)).toBe(1);
    // The old reader's handle is that of the dead mount.
    expect(await reader.read(0, 4096)).toMatch(/ENOTCONN|ECONNABORTED|EIO|^4096 /);
    expect((await sandbox.layoutfs('umount', sandbox.mountpoint)).code).toBe(0);
    expect(await isMounted(sandbox.mountpoint)).toBe(false);
  });

  it('leaves a mount that layoutfs umount takes away', async () => {
    const sandbox = await mounted();
    process.kill(await daemonOf(sandbox), 'SIGKILL');
    await sleep(200);
    const outcome = await sandbox.layoutfs('umount', sandbox.mountpoint);
    expect(outcome.stderr).toMatch(/was stale: its daemon had been killed/);
    expect(outcome.code).toBe(0);
    expect(await isMounted(sandbox.mountpoint)).toBe(false);
  });
});

describe.for(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  it('with a busy reader detaches the mount and ends the daemon', async () => {
    const sandbox = await mounted();
    const pid = await daemonOf(sandbox);
    const reader = await hold(sandbox);
    process.kill(pid, signal);
    await ended(pid);
    expect(await isMounted(sandbox.mountpoint)).toBe(false);
    expect(await reader.read(10 * MiB, MiB)).toMatch(/ENOTCONN|ECONNABORTED|EIO/);
    expect(await readFile(sandbox.log, 'utf8')).toContain('The mount ends.');
    // The directory is free for the next one.
    expect((await sandbox.mount(store.source)).code).toBe(0);
    expect(await readWhole('cat', path(sandbox))).toEqual(rightReading(BLOB.hex));
  });

  it('while the store hangs ends the daemon in time', async () => {
    const sandbox = await mounted();
    const pid = await daemonOf(sandbox);
    const reader = await hold(sandbox);
    store.proxy.add({ kind: 'hangBeforeHead' }, {});
    const reading = reader.read(5 * MiB, 10 * MiB);
    await sleep(200);
    process.kill(pid, signal);
    await ended(pid);
    expect(await reading).toMatch(/ENOTCONN|ECONNABORTED|EIO/);
    expect(await isMounted(sandbox.mountpoint)).toBe(false);
  });
});

describe('umount', () => {
  it('-l leaves an open file readable, and the daemon ends with its last reader', async () => {
    const sandbox = await mounted();
    const pid = await daemonOf(sandbox);
    const reader = await hold(sandbox);
    expect((await run('umount', ['-l', sandbox.mountpoint])).code).toBe(0);
    expect(await isMounted(sandbox.mountpoint)).toBe(false);
    expect(await reader.read(0, 20 * MiB)).toBe(BLOB.part(0, 20 * MiB));
    await reader.close();
    await ended(pid);
  });

  it('by hand ends the daemon', async () => {
    const sandbox = await mounted();
    const pid = await daemonOf(sandbox);
    expect((await run('umount', [sandbox.mountpoint])).code).toBe(0);
    await ended(pid);
    expect(await readFile(sandbox.log, 'utf8')).toContain('The mount ends.');
  });

  it('of a busy mount is refused with how to find who is there; --lazy detaches it', async () => {
    const sandbox = await mounted();
    const pid = await daemonOf(sandbox);
    const reader = await hold(sandbox);
    const refused = await sandbox.layoutfs('umount', sandbox.mountpoint);
    expect(refused.stderr).toMatch(/is busy: .*fuser -vm/);
    expect(refused.code).toBe(1);
    expect(await reader.read(0, 20 * MiB)).toBe(BLOB.part(0, 20 * MiB));
    expect((await sandbox.layoutfs('umount', '--lazy', sandbox.mountpoint)).code).toBe(0);
    expect(await isMounted(sandbox.mountpoint)).toBe(false);
    await reader.close();
    await ended(pid);
  });
});

it('a second mount on the same directory is refused, from elsewhere too', async () => {
  const sandbox = await mounted();
  const other = await makeSandbox({ env: store.env });
  for (const again of [
    await sandbox.mount(store.source),
    await other.layoutfs('mount', store.source, sandbox.mountpoint, '--state-dir', other.home),
  ]) {
    expect(again.stderr).toMatch(/already mounted on .*; unmount it first with: layoutfs umount/);
    expect(again.code).toBe(1);
  }
  expect(await mountsOn(sandbox)).toBe(1);
  expect(await readWhole('cat', path(sandbox))).toEqual(rightReading(BLOB.hex));
});

it('a daemon that is stopped makes a status that says so, and lives on', async () => {
  const sandbox = await mounted();
  const pid = await daemonOf(sandbox);
  process.kill(pid, 'SIGSTOP');
  onTestFinished(() => {
    process.kill(pid, 'SIGCONT');
  });
  const started = Date.now();
  const status = await sandbox.layoutfs('status', sandbox.mountpoint);
  expect(status.code).toBe(1);
  expect(status.stderr).toMatch(/does not answer/);
  const again = await sandbox.mount(store.source);
  expect(again.code).toBe(1);
  expect(again.stderr).toMatch(/already mounted/);
  expect(Date.now() - started).toBeLessThan(30_000);
  process.kill(pid, 'SIGCONT');
  expect(await readWhole('cat', path(sandbox))).toEqual(rightReading(BLOB.hex));
});

it('a read that is interrupted does not disturb the next', async () => {
  const sandbox = await mounted();
  store.proxy.add({ kind: 'hangBeforeHead' }, { key: BLOB.key, skip: 1 });
  const script = 'timeout -s KILL 0.5 cat "$1" >/dev/null; cat "$2" | sha256sum';
  const small = SMALL.pathIn(sandbox.mountpoint, 'app');
  const reading = await run('bash', ['-c', script, 'bash', path(sandbox), small]);
  expect(reading.stdout).toContain(SMALL.hex);
  expect(await readWhole('cat', path(sandbox))).toEqual(EIO);
  store.proxy.heal();
  expect(await readWhole('cat', path(sandbox))).toEqual(rightReading(BLOB.hex));
});

/** A sandbox with the bucket mounted. */
async function mounted(): Promise<Sandbox> {
  const sandbox = await makeSandbox({ env: store.env });
  const words = ['--request-timeout', '700ms', '--read-timeout', '1500ms'];
  const outcome = await sandbox.mount(store.source, ...words);
  expect(outcome).toEqual({ code: 0, stdout: '', stderr: '' });
  return sandbox;
}

async function daemonOf(sandbox: Sandbox): Promise<number> {
  const status = await sandbox.layoutfs('status', sandbox.mountpoint, '--json');
  return (JSON.parse(status.stdout) as { pid: number }).pid;
}

/** Hold the blob open, its beginning read. */
async function hold(sandbox: Sandbox): Promise<HeldFile> {
  const reader = await HeldFile.open(path(sandbox));
  onTestFinished(() => reader.close());
  expect(await reader.read(0, MiB)).toBe(BLOB.part(0, MiB));
  return reader;
}

function path(sandbox: Sandbox): string {
  return BLOB.pathIn(sandbox.mountpoint, 'app');
}

async function mountsOn({ mountpoint }: Sandbox): Promise<number> {
  const table = await readFile('/proc/self/mounts', 'utf8');
  return table.split('\n').filter((line) => line.includes(` ${mountpoint} `)).length;
}

/** Wait for the end of a process, which must come soon. */
async function ended(pid: number): Promise<void> {
  const deadline = Date.now() + END_MS;
  for (;;) {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
    if (stat === '' || /\) [ZX]/.test(stat)) return;
    if (Date.now() > deadline) throw new Error(`Process ${pid} is still there after ${END_MS} ms.`);
    await sleep(50);
  }
}
