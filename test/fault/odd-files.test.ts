import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { type MountedLayoutfs, mountLayoutfs } from '../support/mount.js';
import { run, runOk } from '../support/run.js';
import { blobCase } from './support/blob-case.js';
import { sharedKey } from './support/images.js';
import {
  GOOD,
  indexOf,
  type LocalRegistry,
  makeLocalRegistry,
  repositoryKeys,
} from './support/local-registry.js';
import { ENOENT, readWhole, rightReading } from './support/whole-readers.js';

const REFRESH_MS = 200;
const SECRET = 'what no repository may show';

let registry: LocalRegistry;
let mount: MountedLayoutfs;
const sockets: Server[] = [];

/** Things that a directory can have and a bucket cannot. */
const ODD = {
  'a link to a file outside': (path: string) => symlink(registry.path('../secret'), path),
  'a link to a file inside': (path: string) =>
    symlink(registry.path(sharedKey(GOOD.blob.digest)), path),
  'a dangling link': (path: string) => symlink('/nonexistent', path),
  'a link to itself': (path: string) => symlink(path, path),
  'a link to a directory': (path: string) => symlink(registry.path(GOOD.repository), path),
  'a fifo': (path: string) => runOk('mkfifo', [path]),
  'a socket': (path: string) => listen(path),
  'a device': (path: string) => runOk('mknod', [path, 'c', '1', '5']),
  'a directory': (path: string) => mkdir(path),
} as const;
const KINDS = Object.keys(ODD) as (keyof typeof ODD)[];

beforeAll(async () => {
  registry = await makeLocalRegistry();
  await writeFile(registry.path('../secret'), SECRET);
  mount = await mountLayoutfs(`file://${registry.directory}`, {
    arguments: ['--refresh', `${REFRESH_MS}ms`, '--read-timeout', '5s'],
  });
});
afterEach(async () => {
  const good = GOOD.blob.pathIn(mount.mountpoint, GOOD.repository);
  expect(await readWhole('dd iflag=direct', good)).toEqual(rightReading(GOOD.blob.hex));
});
afterAll(async () => {
  for (const server of sockets) server.close();
  await mount.unmount();
  await rm(registry.path('../secret'), { force: true });
  await registry.remove();
});

describe.for(KINDS)('%s', (kind) => {
  const name = kind.replaceAll(' ', '-');

  it('in the place of a blob is no blob', async () => {
    const blob = blobCase(`blob ${kind}`, 3000);
    const objects = [...blob.image.blobs].filter(([digest]) => digest !== blob.digest);
    await publish([
      ...repositoryKeys(`blob-${name}`, indexOf([blob.image.descriptor])),
      ...objects.map(([digest, bytes]) => [sharedKey(digest), bytes] as const),
    ]);
    await ODD[kind](registry.path(blob.key));
    expect(await readWhole('cat', blob.pathIn(mount.mountpoint, `blob-${name}`))).toEqual(ENOENT);
  });

  it('in the place of an index.json makes no repository', async () => {
    await publish(repositoryKeys(`index-${name}`, ''));
    const path = registry.path(`index-${name}/index.json`);
    await rm(path);
    await ODD[kind](path);
    await sleep(REFRESH_MS + 20);
    const shown = await readWhole('cat', `${mount.mountpoint}/index-${name}/index.json`);
    // A directory of that name may hold repositories.
    expect(shown).toEqual(kind === 'a directory' ? { ok: false, error: 'EISDIR' } : ENOENT);
  });

  it('among the repositories is not followed', async () => {
    await ODD[kind](registry.path(`link-${name}`));
    await sleep(REFRESH_MS + 20);
    const found = await run('find', [`${mount.mountpoint}/link-${name}`, '-type', 'f']);
    expect(found.stdout).toBe('');
    expect((await runOk('ls', [mount.mountpoint])).split('\n')).toContain(GOOD.repository);
  });
});

it('a repository that is a link is not shown, nor is a directory on the way', async () => {
  await symlink(registry.path(GOOD.repository), registry.path('linked'));
  await mkdir(registry.path('nested'));
  await symlink(registry.directory, registry.path('nested/loop'));
  await sleep(REFRESH_MS + 20);
  const listed = (await runOk('ls', [mount.mountpoint])).split('\n');
  expect(listed).not.toContain('linked');
  for (const path of ['linked/index.json', 'nested/loop/good/index.json']) {
    expect(await readWhole('cat', `${mount.mountpoint}/${path}`)).toEqual(ENOENT);
  }
  // It ends. A directory without a repository is not shown any more once that is found out, which
  // may be between the moments in which find sees its name and looks at it.
  const { stdout, stderr } = await run('find', [mount.mountpoint, '-ls'], { timeout: 60_000 });
  expect(stdout).toContain(`${GOOD.repository}/index.json`);
  expect(stderr).toMatch(/^(find: .*nested.*: No such file or directory\n)?$/);
});

it('a directory that becomes a link while it is read does not lead outside', async () => {
  const blob = blobCase('swapped', 3000);
  await publish([
    ...repositoryKeys('swapped', indexOf([blob.image.descriptor])),
    ...[...blob.image.blobs].map(([digest, bytes]) => [ownKey('swapped', digest), bytes] as const),
  ]);
  const path = blob.pathIn(mount.mountpoint, 'swapped');
  await runOk('stat', [path]);
  const directory = dirname(registry.path(ownKey('swapped', blob.digest)));
  await rename(directory, `${directory}-moved`);
  await symlink(`${directory}-moved`, directory);
  expect(await readWhole('cat', path)).toEqual(ENOENT);
});

it('a file that is removed while it is read is EIO', async () => {
  const blob = blobCase('vanishing', 9_000_000);
  await publish([
    ...repositoryKeys('vanishing', indexOf([blob.image.descriptor])),
    ...[...blob.image.blobs].map(([digest, bytes]) => [sharedKey(digest), bytes] as const),
  ]);
  const path = blob.pathIn(mount.mountpoint, 'vanishing');
  const script = 'exec 3<"$1"; head -c 4096 <&3 >/dev/null; rm "$2"; sha256sum <&3';
  const reading = await run('bash', ['-c', script, 'bash', path, registry.path(blob.key)]);
  expect(reading.stdout).not.toContain(blob.hex);
  expect(reading.stderr).toContain('Input/output error');
});

function ownKey(repository: string, digest: string): string {
  return `${repository}/blobs/${digest.replace(':', '/')}`;
}

async function publish(keys: Iterable<readonly [string, Buffer]>): Promise<void> {
  await registry.write(keys);
  await sleep(REFRESH_MS + 20);
}

function listen(path: string): Promise<void> {
  // A socket's path may have 107 bytes; a relative one is short.
  return new Promise((resolve, reject) => {
    const server = createServer();
    sockets.push(server);
    server.once('error', reject);
    server.listen(path, resolve);
  });
}
