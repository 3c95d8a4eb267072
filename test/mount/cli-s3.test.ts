import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { unpackZotState } from '../fixtures/unpack.js';
import { readKeys, uploadKeys } from '../images/upload.js';
import { startRadosgw } from '../servers/radosgw.js';
import type { S3Server } from '../servers/server.js';
import { run } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';

const LAYOUTFS = join(import.meta.dirname, '../../bin/layoutfs');

let server: S3Server;
let home: string;
let mountpoint: string;
let good: NodeJS.ProcessEnv;

const source = (bucket: string) => `s3://${bucket}?endpoint=${server.endpoint}&region=us-east-1`;

beforeAll(async () => {
  server = await startRadosgw();
  const unpacked = await unpackZotState('S1');
  await uploadKeys(
    {
      endpoint: server.endpoint,
      region: 'us-east-1',
      accessKeyId: server.accessKey,
      secretAccessKey: server.secretKey,
      bucket: 'registry',
    },
    await readKeys(unpacked.directory),
  );
  await unpacked.remove();
});
afterAll(() => server.stop());

beforeEach(async () => {
  home = await makeTemporaryDirectory('cli-s3');
  mountpoint = join(home, 'mnt');
  await mkdir(mountpoint);
  await mkdir(join(home, 'run'), { mode: 0o700 });
  good = {
    XDG_RUNTIME_DIR: join(home, 'run'),
    LAYOUTFS_STATE_DIR: join(home, 'state'),
    HOME: home,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ACCESS_KEY_ID: server.accessKey,
    AWS_SECRET_ACCESS_KEY: server.secretKey,
  };
});
afterEach(async () => {
  if ((await run('findmnt', ['--mountpoint', mountpoint])).code === 0) {
    await run('umount', ['-l', mountpoint]);
  }
  await rm(home, { recursive: true, force: true });
});

const layoutfs = (args: readonly string[], env: NodeJS.ProcessEnv = good) =>
  run(LAYOUTFS, args, { env });

interface Report {
  mountable: boolean;
  sections: { findings: { check: string; state: string; message: string }[] }[];
}

async function doctor(args: readonly string[], env: NodeJS.ProcessEnv = good) {
  const { code, stdout } = await layoutfs(['doctor', '--json', ...args], env);
  const report = JSON.parse(stdout) as Report;
  const states = report.sections[1]?.findings.map(({ check, state }) => `${check}: ${state}`);
  return { code, states, text: stdout };
}

it('a bucket is mounted, listed, and well', async () => {
  expect(await layoutfs(['mount', source('registry'), mountpoint])).toMatchObject({ code: 0 });
  const shown = await run('ls', [mountpoint]);
  expect(shown.stdout).toContain('zeta\n');
  expect((await layoutfs(['umount', mountpoint])).code).toBe(0);
  const { code, states } = await doctor([source('registry')]);
  expect({ code, states }).toEqual({
    code: 0,
    states: [
      'reachable: ok',
      'layout: ok',
      'list: ok',
      'archive: ok',
      'read: ok',
      'conditional GET: ok',
      'head: ok',
    ],
  });
  const listed = await layoutfs(['ls', source('registry')]);
  expect(listed).toMatchObject({ code: 0 });
  expect(listed.stdout).toMatch(/\n25 repositories\n$/);
});

describe('what is wrong with a bucket is said by mount, ls and doctor alike', () => {
  const withoutKeys = () => ({ ...good, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' });
  const failing: [string, () => { source: string; env: NodeJS.ProcessEnv }, string, RegExp][] = [
    [
      'a bucket that does not exist',
      () => ({ source: source('no-such-bucket'), env: good }),
      'bucket: fail',
      /no-such-bucket.*does not exist|no bucket/i,
    ],
    [
      'a secret that is wrong',
      () => ({ source: source('registry'), env: { ...good, AWS_SECRET_ACCESS_KEY: 'wrong' } }),
      'credentials: fail',
      /check the access key and its secret\./,
    ],
    [
      'an access key that is unknown',
      () => ({ source: source('registry'), env: { ...good, AWS_ACCESS_KEY_ID: 'nobody' } }),
      'credentials: fail',
      /check the access key and its secret\./,
    ],
    [
      'no credentials at all',
      () => ({ source: source('registry'), env: withoutKeys() }),
      'credentials: fail',
      /no usable credentials were found/,
    ],
    [
      'an endpoint where nobody listens',
      () => ({ source: `s3://registry?endpoint=http://127.0.0.1:1&region=x`, env: good }),
      'reachable: fail',
      /127\.0\.0\.1:1/,
    ],
    [
      'an endpoint whose name is unknown',
      () => ({ source: `s3://registry?endpoint=http://no.invalid&region=x`, env: good }),
      'reachable: fail',
      /no\.invalid/,
    ],
  ];

  it.each(failing)('%s', async (_, given, check, message) => {
    const { source: wrong, env } = given();
    for (const words of [
      ['mount', wrong, mountpoint],
      ['ls', wrong],
    ]) {
      const { code, stdout, stderr } = await layoutfs(words, env);
      expect(stderr).toMatch(/^layoutfs: [^\n]+\n$/);
      expect(stderr).toMatch(message);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    }
    const found = await doctor([wrong], env);
    expect(found).toMatchObject({ code: 1, states: [check] });
    expect(found.text).toMatch(message);
    expect((await run('findmnt', ['--mountpoint', mountpoint])).code).not.toBe(0);
  });
});

it('a bucket that may not be listed is mounted with a note, and the doctor says so', async () => {
  const other = {
    ...good,
    AWS_ACCESS_KEY_ID: server.otherAccessKey,
    AWS_SECRET_ACCESS_KEY: server.otherSecretKey,
  };
  const mounted = await layoutfs(['mount', source('registry'), mountpoint], other);
  expect(mounted).toMatchObject({ code: 0, stdout: '' });
  expect(mounted.stderr).toMatch(/^layoutfs: .*refuses to list.*s3:ListBucket/m);
  const status = await layoutfs(['status', mountpoint], other);
  expect(status.stdout).toMatch(/\nNotes:\n {2}.*refuses to list/);
  const { code, states, text } = await doctor([source('registry')], other);
  expect(code).toBe(0);
  expect(states).toEqual(['reachable: ok', 'layout: warn', 'list: warn', 'read: warn']);
  expect(text).not.toContain('credentials are good');
  const listed = await layoutfs(['ls', source('registry')], other);
  expect(listed.code).toBe(1);
  expect(listed.stderr).toContain('s3:ListBucket');
});

it('a zot configuration brings its own endpoint, root and credentials, and its secret stays there', async () => {
  const config = join(home, 'config.json');
  const storageDriver = {
    name: 's3',
    rootdirectory: '/zot',
    region: 'us-east-1',
    regionendpoint: server.endpoint,
    forcepathstyle: true,
    secure: false,
    bucket: 'registry',
    accesskey: server.accessKey,
    secretkey: server.secretKey,
  };
  await writeFile(
    config,
    JSON.stringify({ storage: { rootDirectory: '/tmp/zot', storageDriver } }),
  );
  const without = { ...good, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };
  const log = join(home, 'log');
  const words = ['--zot-config', config, '--log', log, '--log-level', 'debug'];
  expect(await layoutfs(['mount', ...words, mountpoint], without)).toMatchObject({ code: 0 });
  expect((await run('ls', [mountpoint])).stdout).toContain('zeta\n');
  const status = await layoutfs(['status', '--json', mountpoint], without);
  expect(JSON.parse(status.stdout)).toMatchObject({
    source: `s3://registry/zot/zot?endpoint=${server.endpoint}&region=us-east-1`,
  });
  const table = await run('findmnt', ['-n', '-o', 'SOURCE', mountpoint]);
  const logged = await run('cat', [log]);
  expect(logged.stdout).toContain('Mounted.');
  expect(`${status.stdout}${table.stdout}${logged.stdout}`).not.toContain(server.secretKey);
});
