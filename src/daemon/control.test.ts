import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdir, mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { currentUser } from '../config/directories.js';
import { Counters } from '../observe/counters.js';
import { askMounts, callControl } from './control-client.js';
import { controlSocketPath, listControlSockets } from './control-directory.js';
import { type ControlServer, serveControl } from './control-server.js';
import type { MountStatus } from './status.js';

const status: MountStatus = {
  version: '0.0.0',
  pid: process.pid,
  mountpoint: '/mnt/a',
  source: 'file:///srv',
  registry: 'a registry',
  transport: 'libfuse',
  startedAt: '2026-01-01T00:00:00.000Z',
  uptimeSeconds: 1,
  state: 'ready',
  store: { healthy: true },
  staleIndexes: [],
  unresolved: [],
  notes: [],
  log: 'stderr',
  tree: { inodes: 1, openFiles: 0 },
  requests: {},
  memory: { rssBytes: 1, budgetBytes: 1, heapBytes: 1 },
  counters: new Counters().snapshot(),
};

let runtime: string;
let environment: NodeJS.ProcessEnv;
let servers: ControlServer[];
let refreshed: (readonly string[] | undefined)[];
const user = currentUser();

beforeEach(async () => {
  runtime = await mkdtemp(join(tmpdir(), 'layoutfs-control-'));
  environment = { XDG_RUNTIME_DIR: runtime };
  servers = [];
  refreshed = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await rm(runtime, { recursive: true });
});

async function serve(mountpoint: string): Promise<string> {
  const path = await controlSocketPath(mountpoint, environment, user);
  const controlled = {
    status: () => ({ ...status, mountpoint }),
    refresh: (repositories?: readonly string[]) => {
      refreshed.push(repositories);
      return Promise.resolve({ repositories: [], told: true });
    },
  };
  servers.push(await serveControl(path, controlled));
  return path;
}

describe('the control socket', () => {
  it('answers its status, refreshes, and refuses the rest', async () => {
    const path = await serve('/mnt/a');
    expect(await callControl(path, 'GET', '/status')).toEqual(status);
    const answer = { repositories: [], told: true };
    expect(await callControl(path, 'POST', '/refresh')).toEqual(answer);
    const body = { repositories: ['a', 'b/c'] };
    expect(await callControl(path, 'POST', '/refresh', { body })).toEqual(answer);
    expect(refreshed).toEqual([undefined, ['a', 'b/c']]);
    await expect(callControl(path, 'GET', '/refresh')).rejects.toThrow(/answered 404/);
    for (const bad of [{}, [], 1, { repositories: [] }, { repositories: [1] }]) {
      const call = callControl(path, 'POST', '/refresh', { body: bad });
      await expect(call).rejects.toThrow(/answered 400.*repositories/);
    }
    const long = { repositories: ['x'.repeat(5 * 2 ** 20)] };
    await expect(callControl(path, 'POST', '/refresh', { body: long })).rejects.toThrow();
    expect(refreshed).toHaveLength(2);
  });

  it('is for its owner alone, and gone when it is closed', async () => {
    const path = await serve('/mnt/a');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(runtime, 'layoutfs'))).mode & 0o777).toBe(0o700);
    await servers.pop()?.close();
    await expect(access(path)).rejects.toThrow(/ENOENT/);
  });

  it('is found by its mountpoint', async () => {
    await serve('/mnt/a');
    await serve('/mnt/b');
    const mountpoints = async (wanted?: string) =>
      (await askMounts(environment, user, wanted)).map((answer) =>
        'status' in answer ? answer.status.mountpoint : answer.error,
      );
    expect((await mountpoints()).filter((path) => path.startsWith('/mnt/')).sort()).toEqual([
      '/mnt/a',
      '/mnt/b',
    ]);
    expect(await mountpoints('/mnt/b')).toEqual(['/mnt/b']);
    expect(await mountpoints('/mnt/c')).toEqual([]);
  });

  it('is removed when its daemon was killed', async () => {
    await mkdir(join(runtime, 'layoutfs'), { mode: 0o700 });
    const path = await controlSocketPath('/mnt/dead', environment, user);
    const daemon = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ]);
    await once(daemon, 'exit');
    await access(path);
    expect(await askMounts(environment, user, '/mnt/dead')).toEqual([]);
    await expect(access(path)).rejects.toThrow(/ENOENT/);
  });

  it('is named with the reason when its daemon hangs', async () => {
    const path = await controlSocketPath('/mnt/hangs', environment, user);
    const silent = createServer().listen(path);
    await once(silent, 'listening');
    try {
      expect(await askMounts(environment, user, '/mnt/hangs')).toEqual([
        { socket: path, error: 'no answer within 5 s' },
      ]);
    } finally {
      silent.close();
    }
  }, 10_000);
});

describe('the runtime directory', () => {
  it('is not used when others could have made it', async () => {
    const own = join(runtime, 'layoutfs');
    const chosen = async () => controlSocketPath('/mnt/a', environment, user);
    await mkdir(own, { mode: 0o700 });
    await chmod(own, 0o777);
    expect(await chosen()).not.toContain(own);
    await rm(own, { recursive: true });
    await mkdir(join(runtime, 'elsewhere'));
    await symlink(join(runtime, 'elsewhere'), own);
    expect(await chosen()).not.toContain(own);
    expect(await listControlSockets(environment, user, '/mnt/a')).toEqual([]);
  });

  it('is not used when its path is too long for a socket', async () => {
    const long = { XDG_RUNTIME_DIR: join(runtime, 'x'.repeat(100)) };
    expect(await controlSocketPath('/mnt/a', long, user)).not.toContain('xxx');
  });
});
