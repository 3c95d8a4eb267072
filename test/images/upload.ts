import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

import type { Keys } from './layouts.js';

/** An S3 server at hand, with the keys to it. */
export interface S3Target {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly bucket: string;
}

/** How many objects are sent at a time. */
const CONCURRENCY = 16;

/**
 * Create the bucket and put `keys` into it.
 * @throws the SDK's error when the server refuses.
 */
export async function uploadKeys(target: S3Target, keys: Keys): Promise<void> {
  const { endpoint, region, accessKeyId, secretAccessKey, bucket } = target;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    const pending = keys.entries();
    const send = async (): Promise<void> => {
      for (const [Key, Body] of pending) {
        await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, send));
  } finally {
    client.destroy();
  }
}

/** The files below `directory` as keys. */
export async function readKeys(directory: string): Promise<Keys> {
  const keys: Keys = new Map();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    keys.set(relative(directory, path), await readFile(path));
  }
  return keys;
}
