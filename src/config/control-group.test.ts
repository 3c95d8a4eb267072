import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryLimit } from './control-group.js';

let mounts: string;

beforeEach(async () => {
  mounts = await mkdtemp(join(tmpdir(), 'layoutfs-groups-'));
});
afterEach(async () => {
  await rm(mounts, { recursive: true });
});

describe('memoryLimit', () => {
  it.each([
    {
      name: 'version 2',
      own: '0::/system.slice/layoutfs.service\n',
      files: { 'system.slice/layoutfs.service/memory.max': '536870912\n' },
      limit: 536_870_912,
    },
    {
      name: 'version 2, where it is slowed down before that',
      own: '0::/a\n',
      files: { 'a/memory.max': '536870912\n', 'a/memory.high': '1000000\n' },
      limit: 1_000_000,
    },
    {
      name: 'version 2, a group around its own',
      own: '0::/user.slice/session.scope\n',
      files: { 'user.slice/memory.max': '4096000\n', 'user.slice/session.scope/memory.max': 'max' },
      limit: 4_096_000,
    },
    {
      name: 'version 2 in a container with the path of the host',
      own: '0::/docker/0123abcd\n',
      files: { 'memory.max': '7000000\n' },
      limit: 7_000_000,
    },
    {
      name: 'version 1, beside a version 2 without the controller',
      own: '4:memory:/jobs/one\n3:cpu,cpuacct:/jobs/one\n0::/\n',
      files: {
        'memory/jobs/one/memory.limit_in_bytes': '9223372036854771712\n',
        'memory/jobs/memory.limit_in_bytes': '123456789\n',
        'memory/memory.limit_in_bytes': '9223372036854771712\n',
      },
      limit: 123_456_789,
    },
    { name: 'no limit', own: '0::/a\n', files: { 'a/memory.max': 'max\n' }, limit: Infinity },
    { name: 'no such files', own: '0::/a\n', files: {}, limit: Infinity },
    { name: 'a file that nobody can read', own: 'garbage', files: {}, limit: Infinity },
  ])('of $name', async ({ own, files, limit }) => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(mounts, path)), { recursive: true });
      await writeFile(join(mounts, path), text);
    }
    await writeFile(join(mounts, 'own'), own);
    expect(memoryLimit({ own: join(mounts, 'own'), mounts })).toBe(limit);
  });

  it('of a system without control groups', () => {
    expect(memoryLimit({ own: join(mounts, 'absent'), mounts })).toBe(Infinity);
  });
});
