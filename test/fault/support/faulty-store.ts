import { randomBytes } from 'node:crypto';

import { inject } from 'vitest';

import type { Keys } from '../../images/layouts.js';
import { makeBucket, useCredentials } from '../../servers/bucket.js';
import { FaultProxy } from '../../servers/fault-proxy.js';
import type { WritableObjectStore } from '../../../src/store/object-store.js';
import { openStore } from '../../../src/store/open.js';
import { formatSource } from '../../../src/store/source.js';
import { mountLayoutfs, type MountedLayoutfs } from '../../support/mount.js';
import { Gate } from './gate.js';

/** A bucket in a real radosgw, reached through things that misbehave when told to. */
export interface FaultyStore {
  /** Between the mount and the server: faults of single requests. */
  readonly proxy: FaultProxy;
  /** In front of the proxy: the whole server gone. */
  readonly gate: Gate;
  /** The bucket itself, without either. */
  readonly bucket: WritableObjectStore;
  readonly bucketName: string;
  /** What a user would mount. */
  readonly source: string;
  readonly env: NodeJS.ProcessEnv;
  mount(...words: string[]): Promise<MountedLayoutfs>;
  stop(): Promise<void>;
}

/** Uploads at a time. */
const CONCURRENCY = 8;

/** Make a bucket with these objects. */
export async function startFaultyStore(keys: Keys): Promise<FaultyStore> {
  const server = inject('radosgw');
  const origin = await makeBucket(server, `fault-${randomBytes(6).toString('hex')}`);
  useCredentials(server.accessKey, server.secretKey);
  const bucket = await openStore(origin);
  const pending = keys.entries();
  const send = async (): Promise<void> => {
    for (const [key, bytes] of pending) await bucket.put(key, bytes);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, send));

  const proxy = await FaultProxy.start(server.endpoint);
  const gate = await Gate.start(proxy.endpoint);
  const source = formatSource({ ...origin, endpoint: gate.endpoint, region: 'us-east-1' });
  const env = { AWS_ACCESS_KEY_ID: server.accessKey, AWS_SECRET_ACCESS_KEY: server.secretKey };
  return {
    proxy,
    gate,
    bucket,
    bucketName: origin.bucket,
    source,
    env,
    mount: (...words) => mountLayoutfs(source, { env, arguments: words }),
    async stop() {
      await gate.shut();
      await proxy.stop();
      await bucket.close();
    },
  };
}
