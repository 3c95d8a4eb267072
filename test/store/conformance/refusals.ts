import { afterEach, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../../src/store/open.js';
import type { S3Source } from '../../../src/store/source.js';
import { useCredentials } from '../../servers/bucket.js';
import { expectFailure, failureOf, pattern, type Context } from './context.js';

/** What a server says no to, and how the store passes it on. */
export function refusals(context: Context): void {
  const source = () => context.target.source as S3Source;
  const server = () => {
    const { server } = context.target;
    if (server === undefined) throw new Error('This part of the suite is for servers.');
    return server;
  };
  const open = async (change: Partial<S3Source>) => openStore({ ...source(), ...change });

  beforeAll(() => context.store.put('refusals/a', pattern(10)));
  afterEach(() => {
    useCredentials(server().accessKey, server().secretKey);
  });

  it('says NoSuchBucket for an absent bucket', async () => {
    const store = await open({ bucket: 'no-such-bucket' });
    await expectFailure(store.list({ prefix: '' }), 'NoSuchBucket', /no-such-bucket.*endpoint/);
    await expectFailure(store.get('a'), 'NoSuchBucket', /no bucket "no-such-bucket"/);
    // A HEAD's answer has no body to say which of the two is absent.
    await expectFailure(store.head('a'), 'NotFound');
    await store.close();
  });

  it('says BadCredentials for a wrong secret or an unknown key', async () => {
    for (const [key, secret] of [
      [server().accessKey, 'wrong'],
      ['nobody', 'wrong'],
    ] as const) {
      useCredentials(key, secret);
      const store = await open({});
      await expectFailure(
        store.list({ prefix: '' }),
        'BadCredentials',
        /check the access key and its secret/,
      );
      await expectFailure(store.get('refusals/a'), 'BadCredentials');
      const failure = await failureOf(store.get('refusals/a'));
      expect(failure.message).not.toContain(server().secretKey);
      await store.close();
    }
  });

  it('says AccessDenied to a user without rights, with both possible reasons', async () => {
    useCredentials(server().otherAccessKey, server().otherSecretKey);
    const store = await open({});
    await expectFailure(store.list({ prefix: '' }), 'AccessDenied', /s3:ListBucket/);
    await expectFailure(store.get('refusals/a'), 'AccessDenied', /s3:GetObject.*no such object/);
    await expectFailure(store.head('refusals/a'), 'AccessDenied', /s3:GetObject.*no such object/);
    await expectFailure(store.put('refusals/b', pattern(1)), 'AccessDenied');
    await store.close();
  });

  it('says AccessDenied to anonymous requests, and sends no credentials with them', async () => {
    const store = await open({ anonymous: true });
    await expectFailure(store.list({ prefix: '' }), 'AccessDenied', /anonymous/);
    await expectFailure(store.get('refusals/a'), 'AccessDenied', /anonymous/);
    await store.close();
  });
}
