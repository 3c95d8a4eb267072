import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { openStore } from '../../../src/store/open.js';
import { copyRequests } from '../../../src/store/object-store.js';
import { expectFailure, listAll, pattern, readAll, type Context } from './context.js';

const MEBIBYTE = 1024 * 1024;

/** The verbs of those who move blobs: conditional put, deletes in bulk, copies in parts, uploads. */
export function writing(context: Context): void {
  it('writes an absent key, and no other', async () => {
    const { store } = context;
    const first = await store.putIfAbsent('writing/lock', pattern(10));
    expect(first).toMatchObject({ key: 'writing/lock', size: 10 });
    await expectFailure(
      store.putIfAbsent('writing/lock', pattern(20)),
      'PreconditionFailed',
      /writing\/lock.*exists already/,
    );
    expect(await readAll(await store.get('writing/lock'))).toEqual(Buffer.from(pattern(10)));
    await store.delete('writing/lock');
    await store.putIfAbsent('writing/lock', pattern(20));
    expect(await store.head('writing/lock')).toMatchObject({ size: 20 });
  });

  it('lets one of many writers of an absent key win', async () => {
    const { store, differences } = context;
    const writers = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => store.putIfAbsent('writing/race', pattern(i + 1))),
    );
    const winners = writers.filter(({ status }) => status === 'fulfilled');
    if (differences.racyPutIfAbsent === undefined) expect(winners).toHaveLength(1);
    else expect(winners.length).toBeGreaterThan(0);
    const { objects } = await store.list({ prefix: 'writing/race' });
    expect(objects).toHaveLength(1);
  });

  it('deletes many keys, whatever they are called, and absent ones', async () => {
    const { store } = context;
    const keys = ['a', 'b c', 'ü', '&<>"\'', 'd+e', 'sub/f'].map((name) => `writing/many/${name}`);
    for (const key of [...keys, 'writing/many/stays']) await store.put(key, pattern(1));
    expect(await store.deleteMany([...keys, 'writing/many/absent'])).toEqual([]);
    expect((await listAll(store, { prefix: 'writing/many/' })).keys).toEqual([
      'writing/many/stays',
    ]);
    expect(await store.deleteMany([])).toEqual([]);
  });

  it('copies large objects in parts', { timeout: 60_000 }, async () => {
    const limits = { largestCopy: 8 * MEBIBYTE, copyPart: 5 * MEBIBYTE };
    const { source } = context.target;
    const store = await openStore(source, { access: { copyLimits: limits } });
    const bytes = Buffer.from(pattern(11 * MEBIBYTE + 3));
    await store.put('writing/large +', bytes);
    const size = bytes.length;
    await store.copy('writing/large +', 'writing/copied', { size });
    expect((await readAll(await store.get('writing/copied'))).equals(bytes)).toBe(true);
    expect(copyRequests(store.capabilities, size)).toBe(source.kind === 's3' ? 5 : 1);
    await expectFailure(store.copy('writing/no', 'writing/x', { size }), 'NotFound');
    await expectFailure(store.head('writing/x'), 'NotFound');
    expect(await store.uploads('writing/')).toEqual([]);
    await store.close();
  });

  it('names the multipart uploads under way, and gives them up', async () => {
    const { store, target } = context;
    const { source } = target;
    if (source.kind !== 's3' || target.server === undefined) {
      expect(await store.uploads('')).toEqual([]);
      await store.abortUpload({ key: 'writing/up', id: 'none' });
      return;
    }
    const { endpoint, accessKey: accessKeyId, secretKey: secretAccessKey } = target.server;
    const client = new S3Client({
      endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    const begin = (Key: string) =>
      client.send(new CreateMultipartUploadCommand({ Bucket: source.bucket, Key }));
    const { UploadId } = await begin('writing/up/r +/.uploads/1');
    const other = await begin('elsewhere/2');
    const uploads = await store.uploads('writing/up/');
    expect(uploads).toMatchObject([{ key: 'writing/up/r +/.uploads/1', id: UploadId }]);
    for (const upload of uploads) await store.abortUpload(upload);
    for (const upload of uploads) await store.abortUpload(upload);
    expect(await store.uploads('writing/up/')).toEqual([]);
    expect(await store.uploads('')).toMatchObject([{ key: 'elsewhere/2' }]);
    await client.send(
      new AbortMultipartUploadCommand({
        Bucket: source.bucket,
        Key: 'elsewhere/2',
        UploadId: other.UploadId,
      }),
    );
    client.destroy();
  });

  it('refuses what was aborted before', async () => {
    const { store } = context;
    const aborted = store.deleteMany(['writing/a'], AbortSignal.abort());
    await expectFailure(aborted, 'Aborted');
    await expectFailure(store.putIfAbsent('writing/z', pattern(1), AbortSignal.abort()), 'Aborted');
  });
}
