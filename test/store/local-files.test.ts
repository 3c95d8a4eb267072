import { execFileSync } from 'node:child_process';
import { appendFileSync, readdirSync, truncateSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WritableObjectStore } from '../../src/store/object-store.js';
import { openStore } from '../../src/store/open.js';
import { expectFailure, listAll, pattern, readAll } from './conformance/context.js';

/** What can lie in a directory and never in a bucket. */
describe('the local store', () => {
  let root: string;
  let outside: string;
  let store: WritableObjectStore;

  beforeEach(async () => {
    const parent = await fs.mkdtemp(join(tmpdir(), 'layoutfs-local-'));
    root = join(parent, 'root');
    outside = join(parent, 'outside');
    await fs.mkdir(join(root, 'd'), { recursive: true });
    await fs.mkdir(outside);
    await fs.writeFile(join(outside, 'secret'), 'secret');
    await fs.writeFile(join(root, 'd/file'), 'file');
    store = await openStore({ kind: 'file', root, prefix: '' });
  });
  afterEach(() => fs.rm(join(root, '..'), { recursive: true }));

  const expectNoObject = async (key: string) => {
    await expectFailure(store.get(key), 'NotFound');
    await expectFailure(store.head(key), 'NotFound');
    await expectFailure(store.copy(key, 'copied'), 'NotFound');
  };
  const everything = async () => {
    const flat = await listAll(store, { prefix: '' });
    const folded = await listAll(store, { prefix: '', delimiter: '/' });
    const inside = await listAll(store, { prefix: 'd/', delimiter: '/' });
    return [...flat.keys, ...folded.pages.flat(), ...inside.pages.flat()];
  };

  describe('follows no link', () => {
    it('to a file, absolute or relative, whatever it points at', async () => {
      await fs.symlink(join(outside, 'secret'), join(root, 'd/absolute'));
      await fs.symlink('../../outside/secret', join(root, 'd/relative'));
      await fs.symlink('file', join(root, 'd/neighbour'));
      await fs.symlink('nowhere', join(root, 'd/dangling'));
      await fs.symlink('/proc/self/environ', join(root, 'd/environ'));
      for (const name of ['absolute', 'relative', 'neighbour', 'dangling', 'environ']) {
        await expectNoObject(`d/${name}`);
      }
      expect(await everything()).toEqual(['d/file', 'd/', 'd/file']);
    });

    it('to a directory, at any depth', async () => {
      await fs.symlink(outside, join(root, 'link'));
      await fs.symlink(outside, join(root, 'd/link'));
      for (const dir of ['link', 'd/link']) {
        await expectNoObject(`${dir}/secret`);
        expect(await store.list({ prefix: `${dir}/` })).toEqual({ objects: [], prefixes: [] });
        await expectFailure(store.put(`${dir}/new`, pattern(1)), 'Failed', /a file or a link/);
        await store.delete(`${dir}/secret`);
      }
      expect(await everything()).toEqual(['d/file', 'd/', 'd/file']);
      expect(readdirSync(outside)).toEqual(['secret']);
    });

    it('when it writes: a link is replaced and its target stays', async () => {
      await fs.symlink(join(outside, 'secret'), join(root, 'd/link'));
      await store.delete('d/link');
      expect(await fs.readlink(join(root, 'd/link'))).toBe(join(outside, 'secret'));
      await store.put('d/link', Buffer.from('mine'));
      expect(await fs.readFile(join(outside, 'secret'), 'utf8')).toBe('secret');
      expect((await readAll(await store.get('d/link'))).toString()).toBe('mine');
    });

    it('but the one that the source itself names', async () => {
      await fs.symlink(root, join(outside, 'named'));
      const named = await openStore({ kind: 'file', root: join(outside, 'named'), prefix: '' });
      expect((await readAll(await named.get('d/file'))).toString()).toBe('file');
    });
  });

  it('has no FIFOs, devices and sockets, and never waits for one', { timeout: 5000 }, async () => {
    execFileSync('mkfifo', [join(root, 'd/fifo')]);
    const server = net.createServer().listen(join(root, 'd/socket'));
    const names = ['fifo', 'socket'];
    if (process.getuid?.() === 0) {
      execFileSync('mknod', [join(root, 'd/device'), 'c', '1', '5']);
      names.push('device');
    }
    for (const name of names) await expectNoObject(`d/${name}`);
    await expectNoObject('d/fifo/below');
    await expectNoObject('d');
    expect(await everything()).toEqual(['d/file', 'd/', 'd/file']);
    server.close();
  });

  it('leaves out names that are not UTF-8, and its own unfinished files', async () => {
    await fs.writeFile(Buffer.from(`${root}/d/bad\xff\xfename`, 'latin1'), 'x');
    await fs.mkdir(Buffer.from(`${root}/bad\xff`, 'latin1'));
    await fs.writeFile(join(root, 'd/.layoutfs-unfinished-1234'), 'x');
    expect(await everything()).toEqual(['d/file', 'd/', 'd/file']);
  });

  it('shows an empty directory as a prefix, and only in delimited listings', async () => {
    await fs.mkdir(join(root, 'empty'));
    const options = { prefix: '', delimiter: '/' } as const;
    expect((await store.list(options)).prefixes).toEqual(['d/', 'empty/']);
    expect((await listAll(store, { prefix: '' })).keys).toEqual(['d/file']);
  });

  it('says NoSuchBucket when the directory is absent or no directory', async () => {
    for (const path of [join(root, 'absent'), join(root, 'd/file')]) {
      const absent = await openStore({ kind: 'file', root: path, prefix: '' });
      await expectFailure(absent.list({ prefix: '' }), 'NoSuchBucket', /no directory ".*check/);
      await expectFailure(absent.get('a'), 'NoSuchBucket');
      await expectFailure(absent.head('a/b'), 'NoSuchBucket');
      await expectFailure(absent.put('a', pattern(1)), 'NoSuchBucket');
    }
  });

  it('says AccessDenied where the user may not read', async () => {
    await fs.chmod(join(root, 'd/file'), 0);
    await fs.mkdir(join(root, 'closed'), { mode: 0 });
    await fs.chmod(join(root, '..'), 0o755);
    await asOrdinaryUser(async () => {
      await expectFailure(store.get('d/file'), 'AccessDenied', /no permission.*owner and mode/);
      await expectFailure(store.get('closed/a'), 'AccessDenied');
      await expectFailure(store.list({ prefix: 'closed/' }), 'AccessDenied');
      // A child is a prefix because it exists: what is in it does not matter.
      const page = await store.list({ prefix: '', delimiter: '/' });
      expect(page.prefixes).toEqual(['closed/', 'd/']);
    });
  });

  describe('while a file is read', () => {
    const SIZE = 1024 * 1024;
    const readWhile = async (change: () => Promise<void>) => {
      await fs.writeFile(join(root, 'd/large'), pattern(SIZE));
      const result = await store.get('d/large');
      const chunks: Uint8Array[] = [];
      for await (const chunk of result.body) {
        if (chunks.length === 0) await change();
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    };

    it('says Interrupted when it becomes shorter', async () => {
      const shorten = () => fs.truncate(join(root, 'd/large'), 300_000);
      await expectFailure(readWhile(shorten), 'Interrupted', /shorter/);
    });

    it('says Interrupted when it is written to', async () => {
      const append = () => fs.appendFile(join(root, 'd/large'), 'x');
      await expectFailure(readWhile(append), 'Interrupted', /changed while/);
    });

    it('says the same when it is read into memory', async () => {
      const path = join(root, 'd/large');
      const readInto = async (change: () => void) => {
        await fs.writeFile(path, pattern(5 * SIZE));
        const result = await store.get('d/large');
        let progress = 0;
        const reading = result.readInto(new Uint8Array(5 * SIZE), (bytes) => {
          if (progress === 0) change();
          progress = bytes;
        });
        await reading.finally(() => {
          // The last bytes are not said to be there.
          expect(progress).toBeLessThan(5 * SIZE);
        });
      };
      const shorten = () => truncateSync(path, 300_000);
      await expectFailure(readInto(shorten), 'Interrupted', /shorter/);
      const append = () => appendFileSync(path, 'x');
      await expectFailure(readInto(append), 'Interrupted', /changed while/);
    });

    it('goes on with the old version when it is replaced or removed', async () => {
      const replace = () => store.put('d/large', Buffer.from('new')).then(() => undefined);
      expect(Buffer.compare(await readWhile(replace), pattern(SIZE))).toBe(0);
      expect((await readAll(await store.get('d/large'))).toString()).toBe('new');
      const remove = () => store.delete('d/large');
      expect(Buffer.compare(await readWhile(remove), pattern(SIZE))).toBe(0);
    });
  });

  it('lists 10,000 directories page by page at the price of reading the directory once', async () => {
    const count = 10_000;
    for (let i = 0; i < count; i++)
      await fs.mkdir(join(root, `many-${String(i).padStart(5, '0')}`));
    const options = { prefix: '', delimiter: '/', limit: 100 } as const;
    const first = await duration(() => store.list(options));
    const all = await duration(async () => {
      expect((await listAll(store, options)).prefixes).toHaveLength(count + 1);
    });
    // A directory read again for each of the 101 pages would take about 100 times the first page.
    expect(all / first).toBeLessThan(30);
  });

  it('closes every file that it opens', async () => {
    await fs.writeFile(join(root, 'd/large'), pattern(1024 * 1024));
    const opened = () => readdirSync('/proc/self/fd').length;
    const before = opened();
    for (let i = 0; i < 20; i++) {
      await readAll(await store.get('d/file'));
      (await store.get('d/large')).cancel();
      for await (const chunk of (await store.get('d/large')).body) if (chunk.length > 0) break;
      await store.get('d/absent').catch(() => undefined);
      await store.get('d/file', { ifMatch: '"x"' }).catch(() => undefined);
      const controller = new AbortController();
      await store.get('d/large', { signal: controller.signal });
      controller.abort();
      await store.put('d/new', pattern(1));
      await store.copy('d/new', 'd/newer');
      await everything();
    }
    await expect.poll(opened).toBeLessThanOrEqual(before + 2);
  });
});

async function duration(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Root may read everything, so permissions show only to someone else. */
async function asOrdinaryUser(work: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid?.(65534);
  try {
    await work();
  } finally {
    process.seteuid?.(0);
  }
}
