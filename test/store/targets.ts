import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Source } from '../../src/store/source.js';
import { makeBucket } from '../servers/bucket.js';
import { startRadosgw } from '../servers/radosgw.js';
import type { S3Server } from '../servers/server.js';
import { startSwift } from '../servers/swift.js';

/** What a store is known to do otherwise than S3, with the reason. */
export interface Differences {
  /** Why keys such as `a//b` and `a/`, or `a` beside `a/b`, cannot exist. */
  readonly keysArePaths?: string;
  /** Why two writers of one absent key may both succeed. */
  readonly racyPutIfAbsent?: string;
}

/** A store under test. */
export interface Target {
  readonly name: string;
  /** A server with users and permissions stands behind the store. */
  readonly hasServer: boolean;
  readonly differences: Differences;
  start(): Promise<RunningTarget>;
}

export interface RunningTarget {
  /** An empty bucket or directory. */
  readonly source: Source;
  /** Present where a server stands behind the store. */
  readonly server?: S3Server;
  stop(): Promise<void>;
}

export const localTarget: Target = {
  name: 'local directory',
  hasServer: false,
  differences: {
    keysArePaths: 'a file name is neither empty nor the name of a directory at the same time',
  },
  async start() {
    const root = await mkdtemp(join(tmpdir(), 'layoutfs-store-'));
    return {
      source: { kind: 'file', root, prefix: '' },
      stop: () => rm(root, { recursive: true }),
    };
  },
};

export const radosgwTarget: Target = {
  name: 'Ceph radosgw',
  hasServer: true,
  differences: {},
  start: () => startWithBucket(startRadosgw),
};

export const swiftTarget: Target = {
  name: 'Swift s3api',
  hasServer: true,
  differences: { racyPutIfAbsent: 'it answers 501 to a conditional PUT' },
  start: () => startWithBucket(startSwift),
};

async function startWithBucket(start: () => Promise<S3Server>): Promise<RunningTarget> {
  const server = await start();
  try {
    return { source: await makeBucket(server), server, stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
