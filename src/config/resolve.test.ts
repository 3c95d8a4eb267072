import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultMemory } from './default-memory.js';
import { resolveOptions, type WrittenOptions } from './resolve.js';

let directory: string;
let file: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'layoutfs-config-'));
  file = join(directory, 'options.yaml');
});

afterAll(() => rm(directory, { recursive: true }));

const flags = (values: Record<string, unknown>): WrittenOptions =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, { value, origin: `--${name}` }]),
  );

describe('precedence', () => {
  it('uses the defaults when nobody says anything', async () => {
    expect(await resolveOptions({}, {})).toEqual({
      config: undefined,
      registry: undefined,
      root: undefined,
      sharedBlobDir: undefined,
      zotConfig: undefined,
      include: [],
      exclude: [],
      refresh: 5000,
      memory: defaultMemory(),
      verify: 'stream',
      connections: 64,
      requestTimeout: 10_000,
      readTimeout: 30_000,
      stateDir: undefined,
      cacheDir: undefined,
      cacheSize: 10 * 1024 ** 3,
      cacheMinFree: 1024 ** 3,
      transport: 'auto',
      hardLinks: false,
      allowOther: false,
      uid: undefined,
      umask: 0,
      gid: undefined,
      foreground: false,
      log: undefined,
      logLevel: 'info',
    });
  });

  it('prefers the command line to the environment, that to the file, that to the default', async () => {
    await writeFile(file, 'refresh: 1s\nmemory: 10MiB\nallow-other: true\n');
    const environment = { LAYOUTFS_REFRESH: '2s', LAYOUTFS_MEMORY: '20MiB' };
    const options = await resolveOptions(flags({ refresh: '3s', config: file }), environment);
    expect(options.refresh).toBe(3000);
    expect(options.memory).toBe(20 * 1024 ** 2);
    expect(options.allowOther).toBe(true);
    expect(options.transport).toBe('auto');
  });

  it('lets a switch be turned off again', async () => {
    await writeFile(file, 'allow-other: true\n');
    const environment = { LAYOUTFS_CONFIG: file };
    expect((await resolveOptions({}, environment)).allowOther).toBe(true);
    expect((await resolveOptions(flags({ allowOther: false }), environment)).allowOther).toBe(
      false,
    );
    expect(
      (await resolveOptions({}, { ...environment, LAYOUTFS_ALLOW_OTHER: 'no' })).allowOther,
    ).toBe(false);
  });
});

describe('the environment', () => {
  it('separates lists by spaces, and counts empty variables as absent', async () => {
    const options = await resolveOptions(
      {},
      { LAYOUTFS_INCLUDE: ' team/** {a,b}/c', LAYOUTFS_ROOT: '', LAYOUTFS_SERVICE_HOST: '::1' },
    );
    expect(options.include).toEqual(['team/**', '{a,b}/c']);
    expect(options.root).toBeUndefined();
  });
});

describe('the file', () => {
  it.each([
    ['JSON', '{"refresh": "7s", "include": ["a", "b/*"], "uid": 12}'],
    ['YAML', 'refresh: 7s\ninclude: [a, b/*]\nuid: 12\n'],
  ])('may be %s', async (_, content) => {
    await writeFile(file, content);
    const options = await resolveOptions(flags({ config: file }), {});
    expect(options).toMatchObject({ refresh: 7000, include: ['a', 'b/*'], uid: 12 });
  });

  it.each(['umask: 027', "umask: '027'", 'umask: 27'])('takes the digits of %s', async (line) => {
    await writeFile(file, line);
    expect((await resolveOptions(flags({ config: file }), {})).umask).toBe(0o027);
  });

  it('may be empty', async () => {
    await writeFile(file, '# nothing yet\n');
    expect((await resolveOptions(flags({ config: file }), {})).refresh).toBe(5000);
  });

  it.each([
    ['refesh: 5s', /there is no option "refesh" for a file\. Did you mean "refresh"\?/],
    ['- refresh', /must hold one mapping of options/],
    ['refresh: [', /is neither YAML nor JSON/],
    ['refresh: 5', /refresh in .*options\.yaml: 5 is not a duration: write a number and a unit/],
    ['memory: lots', /"lots" is not a size/],
    ['allow-other: perhaps', /"perhaps" is neither true nor false/],
    ['config: other.yaml', /there is no option "config" for a file/],
  ])('is refused when it says %j', async (content, message) => {
    await writeFile(file, content);
    await expect(resolveOptions(flags({ config: file }), {})).rejects.toThrow(message);
  });

  it('is missed when it is not there', async () => {
    await expect(resolveOptions(flags({ config: '/nowhere.yaml' }), {})).rejects.toThrow(
      /The configuration file \/nowhere\.yaml cannot be read: ENOENT/,
    );
  });
});

describe('wrong values', () => {
  it.each([
    ['refresh', 'soon', '--refresh: "soon" is not a duration'],
    ['refresh', '-5s', '--refresh: "-5s" is not a duration'],
    ['refresh', '5', '--refresh: "5" is not a duration'],
    ['memory', '8191KiB', '--memory: "8191KiB" is too little memory'],
    ['memory', '64 parsecs', '--memory: "64 parsecs" is not a size'],
    ['memory', '99999999TiB', '--memory: "99999999TiB" is not a size'],
    ['registry', 'harbor', '--registry: "harbor" is no registry kind: use zot or plain.'],
    ['transport', 'nfs', '--transport: "nfs" is no transport: use auto, kernel or libfuse.'],
    ['uid', 'root', '--uid: "root" is not a user or group number.'],
    ['uid', '1.5', '--uid: "1.5" is not a whole number.'],
    ['gid', '4294967295', '--gid: "4294967295" is not a user or group number.'],
    ['umask', '028', '--umask: "028" is not a mask of permissions: write octal digits'],
    ['umask', '1777', '--umask: "1777" is not a mask of permissions'],
    ['umask', 'u=rx', '--umask: "u=rx" is not a mask of permissions'],
    ['logLevel', 'loud', '--logLevel: "loud" is no log level'],
    ['stateDir', '', '--stateDir: "" is empty.'],
  ])('%s=%j', async (name, value, message) => {
    await expect(resolveOptions(flags({ [name]: value }), {})).rejects.toThrow(message);
  });
});
