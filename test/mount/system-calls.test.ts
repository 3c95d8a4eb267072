import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

import {
  backingClose,
  backingOpen,
  receiveDescriptor,
  socketPair,
} from '../../src/fuse/kernel/system-calls.js';
import { makePlainDirectory, NO_PLAIN_DIRECTORY } from '../support/plain-directory.js';
import { run } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';

/** The system calls that Node lacks, made for true; as root. */

let home: string;
let mountpoint: string;
const open: number[] = [];

beforeEach(async () => {
  home = await makeTemporaryDirectory('calls');
  mountpoint = join(home, 'mnt');
  await mkdir(mountpoint);
  await writeFile(join(home, 'file'), 'text');
});
afterEach(async () => {
  await run('umount', ['-l', mountpoint]);
  for (const fd of open.splice(0)) closeSync(fd);
  await rm(home, { recursive: true, force: true });
});

const codeOf = (call: () => unknown): string => {
  try {
    call();
    return 'none';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
};

const opened = (path: string, flags = 'r'): number => {
  const fd = openSync(path, flags);
  open.push(fd);
  return fd;
};

/** Mount a device and answer its INIT, by hand. */
async function startSession(flags2: number): Promise<number> {
  const device = opened('/dev/fuse', 'r+');
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0';
  const mounting = spawn('mount', ['-i', '-t', 'fuse', '-o', options, 'calls', mountpoint], {
    stdio: ['ignore', 'inherit', 'inherit', device],
  });
  expect(await once(mounting, 'exit')).toEqual([0, null]);
  const request = Buffer.alloc(16 * 1024);
  readSync(device, request);
  const reply = Buffer.alloc(16 + 64);
  reply.writeUInt32LE(reply.byteLength, 0);
  request.copy(reply, 8, 8, 16);
  reply.writeUInt32LE(7, 16);
  reply.writeUInt32LE(request.readUInt32LE(44), 20);
  reply.writeUInt32LE(1 << 30, 28); // FUSE_INIT_EXT
  reply.writeUInt32LE(4096, 36); // max_write
  reply.writeUInt32LE(flags2, 48);
  reply.writeUInt32LE(1, 52); // max_stack_depth
  writeSync(device, reply);
  return device;
}

const PASSTHROUGH = 1 << 5;

it('a file is registered for the kernel to read, and taken back once', async ({ skip }) => {
  const plain = (await makePlainDirectory('calls')) ?? skip(NO_PLAIN_DIRECTORY);
  const device = await startSession(PASSTHROUGH);
  await writeFile(join(plain, 'file'), 'text');
  const file = opened(join(plain, 'file'));
  // The open file is enough.
  await rm(plain, { recursive: true });
  const first = backingOpen(device, file);
  const second = backingOpen(device, file);
  expect(first).toBeGreaterThan(0);
  expect(second).not.toBe(first);
  backingClose(device, first);
  expect(codeOf(() => backingClose(device, first))).toBe('ENOENT');
  backingClose(device, second);
});

it('what cannot be registered fails with its errno', async () => {
  const device = await startSession(PASSTHROUGH);
  expect(codeOf(() => backingOpen(device, opened(home)))).toBe('EISDIR');
  expect(codeOf(() => backingOpen(device, opened('/dev/null')))).toBe('EINVAL');
  expect(codeOf(() => backingOpen(device, 9999))).toBe('EBADF');
});

it('without passthrough negotiated, and without a mount, it is EPERM', async () => {
  const file = opened(join(home, 'file'));
  const device = await startSession(0);
  expect(codeOf(() => backingOpen(device, file))).toBe('EPERM');
  expect(codeOf(() => backingOpen(opened('/dev/fuse', 'r+'), file))).toBe('EPERM');
});

it('a descriptor is received from another process, and nothing else is taken for one', async () => {
  const [ours, theirs] = socketPair();
  open.push(ours, theirs);
  expect(codeOf(() => receiveDescriptor(ours))).toBe('EAGAIN');
  writeSync(theirs, 'x');
  expect(receiveDescriptor(ours)).toBeUndefined();
  const script = `import array, socket, sys
f = open(sys.argv[1])
socket.socket(fileno=3).sendmsg([b'x'],
  [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [f.fileno()]))])`;
  const sender = spawn('python3', ['-c', script, join(home, 'file')], {
    stdio: ['ignore', 'inherit', 'inherit', theirs],
  });
  expect(await once(sender, 'exit')).toEqual([0, null]);
  const received = receiveDescriptor(ours) ?? -1;
  open.push(received);
  const buffer = Buffer.alloc(10);
  expect(buffer.toString('utf8', 0, readSync(received, buffer))).toBe('text');
});
