import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { stackedFileSystem } from '../../src/fuse/kernel/passthrough-probe.js';
import { type LocalBucket, localBucket } from '../support/local-bucket.js';
import { mountLayoutfs, type MountedLayoutfs } from '../support/mount.js';
import { run, runOk } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { EXPECTATIONS, type Expectation } from './posix/expectations.js';

/**
 * What system calls answer, on the mount and, for comparison, on the very same layout on a plain
 * disk that is mounted read-only.
 */

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const LAYERS = 300;
const NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups'];

let bucket: LocalBucket;
let mount: MountedLayoutfs;
let scratch: string;
let rows: readonly Expectation[];
let rowsFile: string;
let script: string;

/** A plain layout called r, with small layers and one of 10,000 bytes, as objects of a bucket. */
function layout(): { objects: Record<string, string>; large: string; count: number } {
  const objects: Record<string, string> = {};
  const put = (text: string, mediaType: string) => {
    const encoded = createHash('sha256').update(text).digest('hex');
    objects[`r/blobs/sha256/${encoded}`] = text;
    return { mediaType, digest: `sha256:${encoded}`, size: text.length };
  };
  const layers = Array.from({ length: LAYERS }, (_, index) => put(`layer ${index}`, 'x/y'));
  const large = put('x'.repeat(10_000), 'x/y');
  const document = { schemaVersion: 2, mediaType: MANIFEST, layers: [...layers, large] };
  const manifest = put(JSON.stringify(document), MANIFEST);
  objects['r/oci-layout'] = '{"imageLayoutVersion":"1.0.0"}';
  objects['r/index.json'] = JSON.stringify({ schemaVersion: 2, manifests: [manifest] });
  const path = large.digest.replace(':', '/');
  return { objects, large: `blobs/${path}`, count: LAYERS + 2 };
}

/** How every row ends in a directory, by the row's calls. */
async function outcomes(
  directory: string,
  command: readonly string[] = [],
): Promise<Record<string, string>> {
  const words = ['-c', 'cd "$1" && exec perl -e "$2" <"$3"', 'sh', directory, script, rowsFile];
  const out = await runOk('nice', [...command, 'sh', ...words]);
  const results = out.trimEnd().split('\n');
  return Object.fromEntries(rows.map(({ calls }, index) => [calls, results[index] ?? 'nothing']));
}

/** What rows should end with, given how they do: `ok` is any number. */
function expected(
  pick: (row: Expectation) => string,
  found: Record<string, string>,
): Record<string, string> {
  return Object.fromEntries(
    rows.map((row) => {
      const wanted = pick(row);
      const got = found[row.calls] ?? '';
      return [row.calls, wanted === 'ok' && /^\d+$/.test(got) ? got : wanted];
    }),
  );
}

beforeAll(async () => {
  const { objects, large, count } = layout();
  scratch = await makeTemporaryDirectory('posix');
  script = await readFile(join(import.meta.dirname, 'posix/system-calls.pl'), 'utf8');
  const fill = (text: string) =>
    text.replaceAll(/\bFILE\b/g, large).replace('MANY', String(count + '. ..'.split(' ').length));
  rows = EXPECTATIONS.map((row) => ({
    ...row,
    calls: fill(row.calls),
    expected: fill(row.expected),
  }));
  rowsFile = join(scratch, 'rows');
  await writeFile(rowsFile, rows.map(({ calls }) => `${calls}\n`).join(''));
  bucket = await localBucket(objects);
  // As the mount shows them.
  await runOk('chmod', ['-R', 'a=rX', bucket.directory]);
  mount = await mountLayoutfs(bucket.directory, {
    arguments: ['--registry', 'plain', '--allow-other'],
  });
});
afterAll(async () => {
  await mount.unmount();
  await bucket.remove();
  await runOk('rm', ['-rf', scratch]);
});

describe('every system call of the list ends as it should', () => {
  test('no row is there twice', () => {
    expect(new Set(rows.map(({ calls }) => calls)).size).toBe(rows.length);
  });

  test('for root', async () => {
    const found = await outcomes(join(mount.mountpoint, 'r'));
    expect(found).toEqual(expected((row) => row.expected, found));
  });

  test('for an ordinary user', async () => {
    const found = await outcomes(join(mount.mountpoint, 'r'), ['setpriv', ...NOBODY]);
    expect(found).toEqual(expected((row) => row.nobody ?? row.expected, found));
  });

  test('for root on a plain disk', async () => {
    // In a mount namespace of its own, so that the mount ends with the test.
    const target = await mkdtemp(join(scratch, 'disk-'));
    const bind =
      'mount --bind "$1" "$2"; mount -o remount,bind,ro,nosuid,nodev "$2"; shift 2; exec "$@"';
    const inside = [
      'unshare',
      '--mount',
      '--propagation',
      'slave',
      'sh',
      '-ec',
      bind,
      'sh',
      bucket.directory,
      target,
    ];
    const found = await outcomes(join(target, 'r'), inside);
    // Handles of files are there on overlayfs only if it was mounted to be exported by NFS.
    const isOverlay = (await stackedFileSystem(bucket.directory)) !== undefined;
    const ofDisk = ({ calls, disk, expected: usual }: Expectation) =>
      isOverlay && calls.startsWith('name_to_handle_at') ? (found[calls] ?? '') : (disk ?? usual);
    expect(found).toEqual(expected(ofDisk, found));
  });
});

describe('a directory', () => {
  test('that is listed by four processes at once is whole for each of them', async () => {
    const all = await readdir(join(bucket.directory, 'r/blobs/sha256'));
    const listers = Array.from({ length: 4 }, () => {
      const rows = "fd = openat CWD 'r/blobs/sha256' O_RDONLY ; names fd 200\n".repeat(5);
      return runOk('sh', [
        '-c',
        'cd "$1" && printf "%s" "$3" | perl -e "$2"',
        'sh',
        mount.mountpoint,
        script,
        rows,
      ]);
    });
    const line = [...all.map((name) => `${name}/f`), './d', '../d'].sort().join(' ');
    const wanted = `${line}\n`.repeat(5);
    expect(await Promise.all(listers)).toEqual(listers.map(() => wanted));
  });

  test('that is gone while somebody is in it: names are absent, what is open stays', async () => {
    const { objects, large } = layout();
    const own = await localBucket(objects);
    const other = await mountLayoutfs(own.directory, {
      arguments: ['--registry', 'plain', '--refresh', '1s'],
    });
    const script = `
      cd "$1/r/blobs"; exec 3<"../$3"; rm -r "$2/r"; sleep 2
      cat ../index.json; ls ../../r; stat ../none; cat <&3 | tr -d '\n' | wc -c`;
    const { stdout, stderr } = await run('sh', [
      '-c',
      script,
      'sh',
      other.mountpoint,
      own.directory,
      large,
    ]);
    expect(stdout).toBe('10000\n');
    expect(stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^cat: .*No such file/),
      expect.stringMatching(/^ls: .*No such file/),
      expect.stringMatching(/^stat: .*No such file/),
    ]);
    await other.unmount();
    await own.remove();
  });
});
