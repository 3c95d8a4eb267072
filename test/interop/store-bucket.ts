import { writeKeys } from '../images/layouts.js';
import { uploadKeys } from '../images/upload.js';
import type { S3Server } from '../servers/server.js';
import type { Bucket } from './sources.js';

/** A bucket in a store: what to type after `layoutfs mount`, and the environment to type it in. */
export interface StoredBucket {
  readonly source: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Put a bucket into a store. `scratch` is a directory that does not exist yet. */
export type StoreBucket = (bucket: Bucket, scratch: string) => Promise<StoredBucket>;

const REGION = 'us-east-1';
let uploaded = 0;

/** A directory with the bucket's keys. */
export const storeLocally: StoreBucket = async ({ keys }, scratch) => {
  await writeKeys(scratch, keys);
  return { source: `file://${scratch}` };
};

/** A new bucket of an S3 server. */
export async function storeRemotely(server: S3Server, { keys }: Bucket): Promise<StoredBucket> {
  const { endpoint, accessKey, secretKey } = server;
  const bucket = `interop-${(uploaded += 1)}`;
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
  await uploadKeys({ endpoint, region: REGION, ...credentials, bucket }, keys);
  return {
    source: `s3://${bucket}?endpoint=${endpoint}&region=${REGION}`,
    env: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey },
  };
}
