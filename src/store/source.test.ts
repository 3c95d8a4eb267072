import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatSource, parseSource, SourceError, type Source } from './source.js';

const plain = { kind: 's3', pathStyle: false, anonymous: false } as const;

/** Text, what it means, and what {@link formatSource} makes of it. */
const GOOD: [string, Source, string][] = [
  ['s3://bucket', { ...plain, bucket: 'bucket', prefix: '' }, 's3://bucket'],
  ['S3://bucket/', { ...plain, bucket: 'bucket', prefix: '' }, 's3://bucket'],
  ['s3://b1/zot/', { ...plain, bucket: 'b1', prefix: 'zot' }, 's3://b1/zot'],
  ['s3://b1//a//b', { ...plain, bucket: 'b1', prefix: 'a//b' }, 's3://b1/a//b'],
  ['s3://b1/a%20b+c', { ...plain, bucket: 'b1', prefix: 'a b+c' }, 's3://b1/a%20b+c'],
  ['s3://b1/../x', { ...plain, bucket: 'b1', prefix: '../x' }, 's3://b1/../x'],
  [
    's3://b1/p?endpoint=http://127.0.0.1:9000',
    { ...plain, bucket: 'b1', prefix: 'p', endpoint: 'http://127.0.0.1:9000', pathStyle: true },
    's3://b1/p?endpoint=http://127.0.0.1:9000',
  ],
  [
    's3://b1?endpoint=https%3A%2F%2Fh%2Fbase&pathStyle=false&region=eu-west-1&anonymous=true&ca=/a%26b.pem',
    {
      ...plain,
      bucket: 'b1',
      prefix: '',
      endpoint: 'https://h/base',
      region: 'eu-west-1',
      anonymous: true,
      ca: '/a&b.pem',
    },
    's3://b1?endpoint=https://h/base&region=eu-west-1&pathStyle=false&anonymous=true&ca=/a%26b.pem',
  ],
  [
    's3://b1?profile=my+p&pathStyle=true',
    { ...plain, bucket: 'b1', prefix: '', profile: 'my+p', pathStyle: true },
    's3://b1?pathStyle=true&profile=my+p',
  ],
  ['file:///srv/r/', { kind: 'file', root: '/srv/r', prefix: '' }, 'file:///srv/r'],
  ['file://localhost/r', { kind: 'file', root: '/r', prefix: '' }, 'file:///r'],
  ['file:///a%3Fb%25', { kind: 'file', root: '/a?b%', prefix: '' }, 'file:///a%3Fb%25'],
];

const BAD: [string, RegExp][] = [
  ['s3://', /names no bucket.*s3:\/\/my-bucket/],
  ['s3:bucket', /names no bucket/],
  ['s3:///prefix', /names no bucket/],
  ['s3://localhost:9000/bucket', /cannot be the name of a bucket.*endpoint/],
  ['s3://AKIA:hunter2@bucket/p', /user name or a password.*AWS_ACCESS_KEY_ID/],
  ['s3://bucket?endpoint=https://u:hunter2@host', /endpoint contains a user name/],
  ['s3://bucket?endpoint=u:hunter2@host', /endpoint contains a user name/],
  ['s3://bucket?secretAccessKey=hunter2', /looks like a credential/],
  ['s3://bucket?access_key=hunter2', /looks like a credential/],
  ['s3://bucket?colour=hunter2', /"colour" is not a parameter.*endpoint, region/],
  ['s3://bucket?path_style=true', /Did you mean "pathStyle"\?/],
  ['s3://bucket?endpoint=localhost:9000', /Did you mean https:\/\/localhost:9000\?/],
  ['s3://bucket?endpoint=ftp://h', /is not the address of a server/],
  ['s3://bucket?endpoint=https://', /is not the address of a server/],
  ['s3://bucket?endpoint=https://h?x=1', /is not the address of a server/],
  ['s3://bucket?endpoint=', /no usable value/],
  ['s3://bucket?region=a b', /cannot be a region/],
  ['s3://bucket?region=a&region=b', /given twice/],
  ['s3://bucket?pathStyle=yes', /either true or false/],
  ['s3://bucket?anonymous=true&profile=p', /remove one/],
  ['s3://bucket/100%', /percent-encoding.*%25/],
  ['s3://bucket/a#b', /%23/],
  ['file://relative/dir', /three slashes/],
  ['file:dir', /three slashes/],
  ['file:///a?b=c', /takes no parameters/],
  ['https://s3.example.com/bucket', /not a source by itself/],
  ['gs://bucket', /"gs:\/\/" are not known/],
  ['/no/such/directory', /There is no directory "\/no\/such\/directory"/],
  ['', /There is no directory/],
  ['a\0b', /NUL/],
];

describe('parseSource', () => {
  it.each(GOOD)('reads %s', (text, source, formatted) => {
    expect(parseSource(text, {})).toEqual(source);
    expect(formatSource(source)).toBe(formatted);
    expect(parseSource(formatted, {})).toEqual(source);
  });

  it.each(BAD)('refuses %j in words, without repeating a secret', (text, message) => {
    let thrown: unknown;
    try {
      parseSource(text, {});
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SourceError);
    expect((thrown as SourceError).message).toMatch(message);
    expect((thrown as SourceError).message).not.toContain('hunter2');
  });

  it('uses path style where the environment names an endpoint', () => {
    const env = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9000' };
    expect(parseSource('s3://bucket', env)).toMatchObject({ pathStyle: true });
    expect(parseSource('s3://bucket?pathStyle=false', env)).toMatchObject({ pathStyle: false });
  });

  describe('with a bare path', () => {
    let dir: string;
    beforeAll(() => {
      dir = mkdtempSync(join(tmpdir(), 'layoutfs-source-'));
      mkdirSync(join(dir, 'a:b'));
    });
    afterAll(() => {
      rmSync(dir, { recursive: true });
    });

    it('takes an existing directory, absolute or relative', () => {
      expect(parseSource(dir)).toEqual({ kind: 'file', root: dir, prefix: '' });
      expect(parseSource('.')).toEqual({ kind: 'file', root: process.cwd(), prefix: '' });
      expect(parseSource(join(dir, 'a:b'))).toMatchObject({ root: join(dir, 'a:b') });
    });
  });
});
