import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { defaultLogFile, ensureStateDir, INODE_KEY_FILE, readInodeKey } from './state-dir.js';

let home: string;
let stateDir: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'layoutfs-state-'));
  stateDir = join(home, 'a', 'state');
});

afterEach(() => rm(home, { recursive: true }));

it('the inode key is made once, whole, for the owner alone, and shared by all mounts', async () => {
  await ensureStateDir(stateDir);
  const keys = await Promise.all(Array.from({ length: 20 }, () => readInodeKey(stateDir)));
  const [first] = keys;
  expect(first?.length).toBe(32);
  expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
  expect(await readdir(stateDir)).toEqual([INODE_KEY_FILE]);
  expect((await stat(join(stateDir, INODE_KEY_FILE))).mode & 0o777).toBe(0o600);
  expect((await stat(stateDir)).mode & 0o777).toBe(0o700);
  expect(await readInodeKey(stateDir)).toEqual(first);
});

it('a damaged inode key is named with what to do', async () => {
  await ensureStateDir(stateDir);
  const path = join(stateDir, INODE_KEY_FILE);
  await writeFile(path, 'short');
  await expect(readInodeKey(stateDir)).rejects.toThrow(
    `${path} must hold 32 bytes but holds 5: delete it`,
  );
});

it('a state directory that cannot be made is named with the option', async () => {
  await writeFile(join(home, 'file'), '');
  await expect(ensureStateDir(join(home, 'file', 'state'))).rejects.toThrow(
    /cannot be made \(ENOTDIR.*\): name another with --state-dir\./,
  );
});

it.each([
  ['/mnt/registry', '/s/log/mnt-registry.log'],
  ['/mnt/a-b', '/s/log/mnt-a\\x2db.log'],
  ['/mnt/a/b', '/s/log/mnt-a-b.log'],
  ['/mnt/ü', '/s/log/mnt-\\xc3\\xbc.log'],
])('the log of %s is %s', (mountpoint, expected) => {
  expect(defaultLogFile('/s', mountpoint)).toBe(expected);
});

it('the name of a log file is never too long', () => {
  expect(defaultLogFile('/s', `/${'x/'.repeat(400)}end`)).toMatch(/^\/s\/log\/.{10,250}-end\.log$/);
});
