import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SourceRefusedError, ZotConfigError } from '../errors.js';
import { readZotConfig } from './config.js';

const driver = (members: object): string =>
  JSON.stringify({
    storage: { rootDirectory: '/tmp/zot', storageDriver: { name: 's3', bucket: 'b', ...members } },
  });
const only = (text: string) => readZotConfig(text, 'config.json').stores[0];

describe('a local store', () => {
  test('has its keys at its directory', () => {
    const text =
      '{"storage": {"rootDirectory": "/srv/zot", "dedupe": true}, "http": {"port": "80"}}';
    expect(readZotConfig(text, 'config.json')).toEqual({
      stores: [{ route: '', root: '', source: { kind: 'file', root: '/srv/zot', prefix: '' } }],
      warnings: [],
    });
  });

  test.each([
    ['YAML', 'storage:\n  rootDirectory: /srv/zot # here\nlog:\n  level: debug\n'],
    ['other capitals', '{"Storage": {"rootdirectory": "/srv/zot"}}'],
    ['tabs', '{\n\t"storage": {\n\t\t"rootDirectory": "/srv/zot"\n\t}\n}'],
    ['an empty driver', '{"storage": {"rootDirectory": "/srv/zot", "storageDriver": {}}}'],
    ['a null driver', '{"storage": {"rootDirectory": "/srv/zot", "storageDriver": null}}'],
  ])('may be written in %s', (_, text) => {
    expect(only(text)?.source).toEqual({ kind: 'file', root: '/srv/zot', prefix: '' });
  });

  test('may be named from the working directory', () => {
    expect(only('storage: {rootDirectory: data}')?.source).toMatchObject({ root: resolve('data') });
  });
});

describe('an S3 store', () => {
  test.each([
    [undefined, ''],
    ['', ''],
    ['/', ''],
    ['/zot', 'zot/zot'],
    ['zot/', 'zot/zot'],
    ['/a/b', 'a/b/a/b'],
  ])('with rootdirectory %j has its root at %j', (rootdirectory, root) => {
    expect(only(driver({ rootdirectory }))?.root).toBe(root);
  });

  test('of AWS', () => {
    expect(only(driver({ region: 'us-east-2', secure: true, skipverify: false }))).toEqual({
      route: '',
      root: '',
      source: {
        kind: 's3',
        bucket: 'b',
        prefix: '',
        region: 'us-east-2',
        pathStyle: false,
        anonymous: false,
      },
    });
  });

  test.each([
    [{ regionendpoint: 'localhost:9000', secure: false }, 'http://localhost:9000', true],
    [{ regionendpoint: 'localhost:9000' }, 'https://localhost:9000', true],
    [{ regionEndpoint: 'http://s3.test', secure: true }, 'http://s3.test', true],
    [{ regionendpoint: 'http://s3.test', forcepathstyle: false }, 'http://s3.test', false],
    [{ regionendpoint: 'http://s3.test', forcePathStyle: 'true' }, 'http://s3.test', true],
    [{ regionendpoint: '', forcepathstyle: true }, undefined, true],
  ])('of another server: %j', (members, endpoint, pathStyle) => {
    const source = only(driver(members))?.source;
    expect(source).toMatchObject({ pathStyle });
    expect(source !== undefined && 'endpoint' in source ? source.endpoint : undefined).toBe(
      endpoint,
    );
  });

  test('may not check certificates', () => {
    expect(only(driver({ skipverify: true }))?.skipVerify).toBe(true);
    expect(only(driver({ skipverify: 'false' }))?.skipVerify).toBeUndefined();
  });

  test.each([
    [
      { accesskey: 'id', secretkey: 'secret' },
      { accessKeyId: 'id', secretAccessKey: 'secret' },
    ],
    [
      { accesskey: 'id', secretkey: 'secret', sessiontoken: 'token' },
      { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: 'token' },
    ],
    [{ accesskey: 'id' }, undefined],
    [{ accesskey: '', secretkey: '' }, undefined],
  ])('may bring its credentials: %j', (members, credentials) => {
    const store = only(driver(members));
    expect(store?.credentials).toEqual(credentials);
    expect(JSON.stringify(store?.source)).not.toContain('secret');
  });
});

describe('sub-paths', () => {
  test('are stores of their own, beside the default', () => {
    const { stores, warnings } = readZotConfig(
      JSON.stringify({
        storage: {
          rootDirectory: '/tmp/zot',
          storageDriver: { name: 's3', rootdirectory: '/zot', region: 'us-east-2', bucket: 'main' },
          subPaths: {
            '/a': {
              rootDirectory: '/tmp/zot1',
              storageDriver: {
                name: 's3',
                rootdirectory: '/zot-a',
                region: 'eu-1',
                bucket: 'other',
              },
            },
            '/b': { rootDirectory: '/tmp/zot2' },
          },
        },
      }),
      'config.json',
    );
    expect(warnings).toEqual([]);
    expect(stores).toMatchObject([
      { route: '', root: 'zot/zot', source: { bucket: 'main' } },
      { route: 'a', root: 'zot-a/zot-a', source: { bucket: 'other', region: 'eu-1' } },
      { route: 'b', root: '', source: { kind: 'file', root: '/tmp/zot2' } },
    ]);
  });

  test('of two components are never used, and said so', () => {
    const text = '{"storage":{"rootDirectory":"/z","subPaths":{"/a/b":{"rootDirectory":"/y"}}}}';
    const { stores, warnings } = readZotConfig(text, 'config.json');
    expect(stores).toHaveLength(1);
    expect(warnings).toEqual([expect.stringContaining('/a/b')]);
  });
});

describe('refused', () => {
  test.each([
    ['nothing', '', 'holds no object'],
    ['half of a file', '{"storage":', 'neither JSON nor YAML'],
    ['a list', '[1]', 'holds no object'],
    ['another file', '{"version": 1}', 'no "storage" section'],
    ['a storage that is text', '{"storage": "/srv"}', 'storage in config.json must be an object'],
    ['no directory', '{"storage": {}}', 'storage.rootDirectory in config.json is missing'],
    ['a directory that is a number', '{"storage":{"rootDirectory":7}}', 'must be text'],
    ['no bucket', '{"storage":{"storageDriver":{"name":"s3"}}}', 'storage.storageDriver.bucket'],
    ['an odd flag', driver({ forcepathstyle: 'perhaps' }), 'must be true or false'],
    ['an odd endpoint', driver({ regionendpoint: 'http://' }), 'not the address of a server'],
    [
      'a password in the endpoint',
      driver({ regionendpoint: 'http://u:hush@h' }),
      'not the address',
    ],
    ['signatures of version 2', driver({ v4auth: false }), 'not supported'],
    [
      'Google Cloud Storage',
      driver({ name: 'gcs' }),
      'Google Cloud Storage, which is not supported yet',
    ],
    ['Azure', driver({ name: 'azure' }), 'Azure Blob Storage, which is not supported yet'],
    ['another driver', driver({ name: 'swift' }), 's3 is supported'],
    [
      'a sub-path that is no section',
      '{"storage":{"rootDirectory":"/z","subPaths":{"/a":1}}}',
      'must be an object',
    ],
  ])('is %s', (_, text, complaint) => {
    const read = () => readZotConfig(text, 'config.json');
    expect(read).toThrow(ZotConfigError);
    expect(read).toThrow(SourceRefusedError);
    expect(read).toThrow(complaint);
  });

  test.each([
    '{"storage": {"storageDriver": {"secretkey": "hush" ',
    'storage:\n  storageDriver:\n secretkey: hush\n  x: [',
    driver({ secretkey: { hush: 'hush' }, accesskey: 'hush' }),
    driver({ regionendpoint: 'http://hush:hush@h' }),
  ])('is a file without its secrets being told: %s', (text) => {
    let message = '';
    try {
      readZotConfig(text, 'config.json');
    } catch (error) {
      message = String(error) + String((error as Error).cause);
    }
    expect(message).toContain('config.json');
    expect(message).not.toContain('hush');
  });
});
