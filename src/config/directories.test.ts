import { describe, expect, it } from 'vitest';
import { defaultStateDir, runtimeDirs } from './directories.js';

const root = { uid: 0, home: '/root' };
const ada = { uid: 1000, home: '/home/ada' };

describe('the state directory', () => {
  it.each([
    [{}, root, '/var/lib/layoutfs'],
    [{ XDG_STATE_HOME: '/x' }, root, '/var/lib/layoutfs'],
    [{}, ada, '/home/ada/.local/state/layoutfs'],
    [{ XDG_STATE_HOME: '/x' }, ada, '/x/layoutfs'],
    [{ XDG_STATE_HOME: 'relative' }, ada, '/home/ada/.local/state/layoutfs'],
  ])('with %j for %j', (environment, user, expected) => {
    expect(defaultStateDir(environment, user)).toBe(expected);
  });
});

describe('the directories of control sockets', () => {
  it.each([
    [{}, root, ['/run/layoutfs', '/tmp/layoutfs-0']],
    [{ XDG_RUNTIME_DIR: '/x' }, root, ['/x/layoutfs', '/run/layoutfs', '/tmp/layoutfs-0']],
    [{}, ada, ['/tmp/layoutfs-1000']],
    [{ XDG_RUNTIME_DIR: '/run/user/1000' }, ada, ['/run/user/1000/layoutfs', '/tmp/layoutfs-1000']],
    [{ XDG_RUNTIME_DIR: '' }, ada, ['/tmp/layoutfs-1000']],
  ])('with %j for %j', (environment, user, expected) => {
    expect(runtimeDirs(environment, user)).toEqual(expected);
  });
});
