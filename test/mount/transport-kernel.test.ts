import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';

import { compileDaemon, disposeMounts, IS_ROOT, MemoryMount } from './support/memory-mount.js';

/** What only the transport `kernel` does. */

const run = promisify(execFile);
const files = { '/dir/file': { content: Buffer.from('text') } };
const kernel = { transport: 'kernel' } as const;

const cat = async (path: string): Promise<string> => (await run('cat', [path])).stdout;
const forgetCaches = () => run('sh', ['-c', 'echo 2 >/proc/sys/vm/drop_caches']);

beforeAll(compileDaemon);
afterEach(disposeMounts);

describe('references', () => {
  test.runIf(IS_ROOT)('are those of lookups and listings, and all come back', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 3000 }, (_, index) => [
        `/many/${'n'.repeat(1 + (index % 200))}${index}`,
        { content: Buffer.from(String(index)), timeout: 60_000 },
      ]),
    );
    const mount = await MemoryMount.start(many, kernel);
    // From within: the name of the directory itself may not be remembered.
    const listed = await run('sh', ['-c', 'cd "$1"; exec ls -lU', 'sh', mount.path('many')], {
      maxBuffer: 2 ** 24,
    });
    expect(listed.stdout.trim().split('\n')).toHaveLength(3001);
    const { calls, owed } = await mount.report();
    // Each entry once, by READDIRPLUS; the LOOKUPs are of the directory itself.
    expect(calls['refer']).toBe(3000);
    expect(calls['lookup']).toBeLessThanOrEqual(3);
    expect(owed.references).toBe((calls['refer'] ?? 0) + (calls['lookup'] ?? 0));
    const forgotten = async () => {
      await forgetCaches();
      return (await mount.report()).owed.references;
    };
    await expect.poll(forgotten, { timeout: 20_000 }).toBe(0);
    expect((await mount.report()).errors).toEqual([]);
  });
});

describe('names that the serving threads know', () => {
  const NAMES = Array.from({ length: 2000 }, (_, index) => `${'n'.repeat(index % 60)}${index}`);
  const file = { content: Buffer.from('x'), timeout: Infinity };
  /** Look all names up, from within the directory, by four programs at once. */
  const lookUp = async (mount: MemoryMount) => {
    const script = 'cd "$1"; for i in 1 2 3 4; do xargs stat -c %s <"$2" | sort -u & done; wait';
    const { stdout } = await run('sh', ['-c', script, 'sh', mount.path('d'), mount.names]);
    return stdout.trim().split('\n');
  };
  const start = async () => {
    const mount = await MemoryMount.start(
      Object.fromEntries(NAMES.map((name) => [`/d/${name}`, file])),
      kernel,
    );
    await writeFile(mount.names, NAMES.join('\n'));
    return mount;
  };

  test.runIf(IS_ROOT)(
    'cost the tree few lookups, are right, and their references come back',
    async () => {
      const mount = await start();
      for (let round = 0; round < 3; round += 1) {
        expect(await lookUp(mount)).toEqual(['1', '1', '1', '1']);
        await forgetCaches();
      }
      const { calls } = await mount.report();
      // Those of the first moments, and of each second's beginning; each of the others by a thread.
      expect(calls['lookup']).toBeLessThan(1000);
      expect(calls['refer']).toBeGreaterThan(3000);
      const forgotten = async () => {
        await forgetCaches();
        return (await mount.report()).owed.references;
      };
      await expect.poll(forgotten, { timeout: 20_000 }).toBe(0);
      // A thread that tells an entry after the tree has let it go would show here.
      expect((await mount.report()).errors).toEqual([]);
    },
  );

  test.runIf(IS_ROOT)(
    'a name that comes is found at once; one that goes or changes, within the time it was known for',
    async () => {
      const mount = await start();
      await lookUp(mount);
      await mount.put('/d/new', { content: Buffer.from('new'), timeout: Infinity });
      expect(await cat(mount.path('d/new'))).toBe('new');
      const [one = '', two = ''] = NAMES;
      await mount.put(`/d/${one}`, { content: Buffer.from('changed'), timeout: Infinity });
      await mount.remove(`/d/${two}`);
      await new Promise((resolve) => setTimeout(resolve, 1100));
      await forgetCaches();
      const seen = async () => [
        await cat(mount.path('d', one)),
        await cat(mount.path('d', two)).catch((error: unknown) => String(error)),
      ];
      await expect.poll(seen).toEqual(['changed', expect.stringMatching(/No such file/)]);
    },
  );
});

describe('a directory', () => {
  test('that is listed while it changes shows each name once', async () => {
    const names = Array.from({ length: 2000 }, (_, index) => `${'x'.repeat(100)}-${index}`);
    const mount = await MemoryMount.start(
      Object.fromEntries(names.map((name) => [`/d/${name}`, { content: Buffer.from('x') }])),
      kernel,
    );
    const stop = new AbortController();
    const changes = (async () => {
      for (let round = 0; !stop.signal.aborted; round += 1) {
        await mount.put(`/d/new-${round}`, { content: Buffer.from('x') });
        await mount.remove(`/d/new-${round - 3}`);
      }
    })();
    for (let round = 0; round < 20; round += 1) {
      const { stdout } = await run('ls', ['-U', mount.path('d')], { maxBuffer: 2 ** 24 });
      const seen = stdout.trim().split('\n');
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.filter((name) => name.startsWith('x')).sort()).toEqual([...names].sort());
    }
    stop.abort();
    await changes;
  });

  test('shows a change at the next listing, and asks for no names when there was none', async () => {
    const mount = await MemoryMount.start(files, kernel);
    const list = async () => (await run('ls', [mount.path('dir')])).stdout.trim().split('\n');
    expect(await list()).toEqual(['file']);
    await mount.put('/dir/other', { content: Buffer.from('x') });
    expect(await list()).toEqual(['file', 'other']);
    await mount.remove('/dir/file');
    expect(await list()).toEqual(['other']);
    expect(await list()).toEqual(['other']);
  });

  test('knows its parent', async () => {
    const mount = await MemoryMount.start({ '/a/b/c': files['/dir/file'] }, kernel);
    const { stdout } = await run('stat', ['-c', '%i', mount.path('a/b'), mount.path('a')]);
    const inos = stdout.trim().split('\n').map(Number);
    const { stdout: raw } = await run('sh', ['-c', 'ls -aiU1 "$1"', 'sh', mount.path('a/b')]);
    const dots = raw
      .trim()
      .split('\n')
      .map((line) => line.trim().split(' '))
      .filter(([, name]) => name === '.' || name === '..');
    expect(dots.map(([ino]) => Number(ino))).toEqual(inos);
  });
});

test(`sequential reads are of ${IS_ROOT ? '1 MiB' : '128 KiB'}`, async () => {
  const size = 16 * 2 ** 20;
  const mount = await MemoryMount.start({ '/big': { content: Buffer.alloc(size, 'b') } }, kernel);
  const { stdout } = await run('sh', [
    '-c',
    'wc -c <"$1"; cat "$1" | wc -c',
    'sh',
    mount.path('big'),
  ]);
  expect(stdout.trim().split('\n').map(Number)).toEqual([size, size]);
  // The first one or two are shorter, as the kernel's read-ahead begins. Only root may lengthen it.
  expect((await mount.report()).calls['read']).toBeLessThanOrEqual((IS_ROOT ? 16 : 128) + 6);
});
