import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

import { writeKeys } from '../images/layouts.js';
import { run } from '../support/run.js';
import { makeSandbox, isMounted } from './support/command.js';
import { type FaultyStore, startFaultyStore } from './support/faulty-store.js';
import { GOOD, type LocalRegistry, makeLocalRegistry } from './support/local-registry.js';
import { keysOf } from '../images/layouts.js';
import { corpusOf } from './support/images.js';

/** Credentials nowhere: not in the environment, in files, or at an instance's address. */
const NO_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_PROFILE: undefined,
  AWS_CONFIG_FILE: '/nonexistent/config',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/credentials',
  AWS_EC2_METADATA_DISABLED: 'true',
};

let store: FaultyStore;
let registry: LocalRegistry;

beforeAll(async () => {
  store = await startFaultyStore(
    keysOf(corpusOf({ [GOOD.repository]: [GOOD.blob.image] }), 'shared'),
  );
  registry = await makeLocalRegistry();
});
afterAll(async () => {
  await store.stop();
  await registry.remove();
});

interface BadSource {
  readonly name: string;
  readonly source: () => string;
  readonly env?: NodeJS.ProcessEnv;
  readonly words?: readonly string[];
  readonly says: readonly RegExp[];
  readonly code: 1 | 2;
}

const BAD_SOURCES: readonly BadSource[] = [
  {
    name: 'a bucket that does not exist',
    source: () => store.source.replace(store.bucketName, 'no-such-bucket'),
    says: [/there is no bucket "no-such-bucket"/, /check its name/],
    code: 1,
  },
  {
    name: 'a wrong secret',
    source: () => store.source,
    env: { AWS_SECRET_ACCESS_KEY: 'wrong' },
    says: [/does not accept the credentials/, /check the access key and its secret/],
    code: 1,
  },
  {
    name: 'an unknown access key',
    source: () => store.source,
    env: { AWS_ACCESS_KEY_ID: 'NOBODY' },
    says: [/does not accept the credentials/, /check the access key and its secret/],
    code: 1,
  },
  {
    name: 'no credentials at all',
    source: () => store.source,
    env: NO_CREDENTIALS,
    says: [/no usable credentials were found/, /AWS_ACCESS_KEY_ID.*anonymous=true/],
    code: 1,
  },
  {
    name: 'an endpoint where nothing listens',
    source: () => 's3://bucket?endpoint=http://127.0.0.1:1&region=us-east-1',
    says: [/127\.0\.0\.1:1/, /nothing listens there/, /check host and port/],
    code: 1,
  },
  {
    name: 'a host that does not exist',
    source: () => 's3://bucket?endpoint=http://registry.invalid&region=us-east-1',
    says: [/registry\.invalid/, /check the name|check the DNS/],
    code: 1,
  },
  {
    name: 'TLS to a port that speaks none',
    source: () => store.source.replace('http:', 'https:'),
    says: [/does not speak TLS/, /http:\/\//],
    code: 1,
  },
  {
    name: 'a server that is no S3',
    source: () => store.source,
    says: [/answered? (is not that of an S3 server|500)|fails or is overloaded/],
    code: 1,
  },
  {
    name: 'an http address',
    source: () => 'http://127.0.0.1/bucket',
    says: [/not a source by itself/, /s3:\/\/my-bucket/],
    code: 2,
  },
  {
    name: 'a password in the URL',
    source: () => 's3://user:secret@bucket',
    says: [/do not belong in a URL/, /AWS_ACCESS_KEY_ID/],
    code: 2,
  },
  {
    name: 'a directory that does not exist',
    source: () => 'file:///nonexistent/registry',
    says: [/no directory "\/nonexistent\/registry"/, /check the path/],
    code: 1,
  },
  {
    name: 'a root that is not there',
    source: () => store.source,
    words: ['--root', 'nowhere'],
    says: [/root nowhere/, /Check it against the keys/],
    code: 2,
  },
];

describe.for(BAD_SOURCES)('$name', ({ name, source, env, words = [], says, code }) => {
  it('fails soon with what to do, and leaves nothing behind', async () => {
    if (name === 'a server that is no S3') {
      store.proxy.add({ kind: 'status', status: 500, code: 'InternalError' });
    }
    const sandbox = await makeSandbox({ env: { ...store.env, ...env } });
    const mounted = await sandbox.mount(source(), '--request-timeout', '5s', ...words);
    const listed = await sandbox.layoutfs('ls', source(), '--request-timeout', '5s', ...words);
    store.proxy.heal();
    for (const outcome of [mounted, listed]) {
      for (const pattern of says) expect.soft(outcome.stderr).toMatch(pattern);
      expect.soft(outcome.stderr).toMatch(/^layoutfs: /);
      expect.soft(outcome.stderr).not.toMatch(/\n\s+at /);
      expect.soft(outcome.stderr).not.toContain(inject('radosgw').secretKey);
      expect.soft(outcome.code).toBe(code);
    }
    expect(await isMounted(sandbox.mountpoint)).toBe(false);
  });

  it('is told by doctor, with exit code 1', async () => {
    if (name === 'a server that is no S3') {
      store.proxy.add({ kind: 'status', status: 500, code: 'InternalError' });
    }
    const sandbox = await makeSandbox({ env: { ...store.env, ...env } });
    const report = await sandbox.layoutfs(
      ...['doctor', source(), '--request-timeout', '5s', '--state-dir', sandbox.home, ...words],
    );
    store.proxy.heal();
    expect(report.code).toBe(1);
    for (const pattern of says) expect.soft(report.stdout.replaceAll(/\s+/g, ' ')).toMatch(pattern);
  });
});

describe('a source that is no registry', () => {
  it('is refused when another registry wrote it', async () => {
    const sandbox = await makeSandbox();
    const directory = join(sandbox.home, 'distribution');
    await writeKeys(
      directory,
      new Map([
        [
          'docker/registry/v2/repositories/app/_manifests/tags/latest/current/link',
          Buffer.from('sha256:0'),
        ],
        ['docker/registry/v2/blobs/sha256/00/00/data', Buffer.from('x')],
      ]),
    );
    const outcome = await sandbox.mount(`file://${directory}`);
    expect(outcome.stderr).toMatch(/distribution/i);
    expect(outcome.code).toBe(2);
  });

  it('is mounted, with a note, when there is nothing in it', async () => {
    const sandbox = await makeSandbox();
    const directory = join(sandbox.home, 'empty');
    await mkdir(directory);
    const outcome = await sandbox.mount(`file://${directory}`);
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toMatch(/^layoutfs: .*(nothing|empty|no repositor)/i);
    expect((await sandbox.layoutfs('umount', sandbox.mountpoint)).code).toBe(0);
  });

  it('shows files of other kinds as no repositories', async () => {
    const sandbox = await makeSandbox();
    const directory = join(sandbox.home, 'photos');
    await writeKeys(
      directory,
      new Map([
        ['2024/beach.jpg', Buffer.from('x')],
        ['index.html', Buffer.from('x')],
      ]),
    );
    const outcome = await sandbox.mount(`file://${directory}`);
    if (outcome.code === 0) {
      expect(outcome.stderr).toMatch(/^layoutfs: /);
      const found = await run('find', [sandbox.mountpoint, '-type', 'f']);
      expect(found.stdout).toBe('');
    } else {
      expect(outcome.code).toBe(2);
      expect(outcome.stderr).toMatch(/^layoutfs: /);
    }
  });
});

describe('a mountpoint that', () => {
  it.for([
    {
      name: 'is missing',
      make: () => Promise.resolve(),
      says: /does not exist; make it with: mkdir -p/,
    },
    { name: 'is a file', make: (path: string) => writeFile(path, 'x'), says: /is not a directory/ },
    {
      name: 'is not empty',
      make: async (path: string) => {
        await mkdir(path);
        await writeFile(join(path, 'file'), 'x');
      },
      says: /is not empty; .*Choose an empty directory/,
    },
    {
      name: 'is below a file',
      make: (path: string) => writeFile(dirname(path), 'x'),
      path: 'file/mnt',
      says: /is not a directory|does not exist/,
    },
  ])('$name is refused, and nothing happens to it', async ({ make, says, path = 'other' }) => {
    const sandbox = await makeSandbox();
    const mountpoint = join(sandbox.home, path);
    await make(mountpoint);
    const before = await run('ls', ['-la', mountpoint]);
    const outcome = await sandbox.layoutfs(
      'mount',
      `file://${registry.directory}`,
      mountpoint,
      '--state-dir',
      join(sandbox.home, 'state'),
    );
    expect(outcome.stderr).toMatch(says);
    expect(outcome.stderr).toMatch(/^layoutfs: /);
    expect(outcome.code).toBe(1);
    expect(await run('ls', ['-la', mountpoint])).toEqual(before);
  });

  it('this user may not look at is refused', async () => {
    const sandbox = await makeSandbox();
    const closed = join(sandbox.home, 'closed');
    await mkdir(join(closed, 'mnt'), { recursive: true, mode: 0o700 });
    await run('chmod', ['0711', sandbox.home]);
    const words = [
      'mount',
      `file://${registry.directory}`,
      join(closed, 'mnt'),
      '--state-dir',
      '/tmp',
    ];
    const outcome = await run('setpriv', [
      ...['--reuid=65534', '--regid=65534', '--clear-groups', '--'],
      ...[process.execPath, join(import.meta.dirname, '../../bin/layoutfs'), ...words],
    ]);
    expect(outcome.stderr).toMatch(
      /cannot be accessed \(EACCES\); choose a directory that you may read/,
    );
    expect(outcome.code).toBe(1);
  });

  it('already has a mount of ours is refused, and the mount goes on', async () => {
    const sandbox = await makeSandbox();
    const source = `file://${registry.directory}`;
    expect((await sandbox.mount(source)).code).toBe(0);
    const again = await sandbox.mount(source);
    expect(again.stderr).toMatch(/already mounted on .*; unmount it first with: layoutfs umount/);
    expect(again.code).toBe(1);
    const path = GOOD.blob.pathIn(sandbox.mountpoint, GOOD.repository);
    expect((await run('sha256sum', [path])).stdout).toContain(GOOD.blob.hex);
    expect((await sandbox.layoutfs('umount', sandbox.mountpoint)).code).toBe(0);
    expect(await isMounted(sandbox.mountpoint)).toBe(false);
  });
});

it('umount and status of what is no mount say so', async () => {
  const sandbox = await makeSandbox();
  for (const command of ['umount', 'status']) {
    const outcome = await sandbox.layoutfs(command, sandbox.mountpoint);
    expect(outcome.stderr).toMatch(/^layoutfs: .*(Nothing|No layoutfs|not) .*mounted/i);
    expect(outcome.code).toBe(1);
  }
});
