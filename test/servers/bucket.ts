import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Source } from '../../src/store/source.js';
import type { S3Server } from './server.js';

type Login = Pick<S3Server, 'endpoint' | 'accessKey' | 'secretKey'>;

/**
 * Make a new bucket and give back its source. The store's port cannot make buckets: layoutfs never
 * does. The SDK's environment is set, as a user would, for everything this process opens later.
 */
export async function makeBucket(
  { endpoint, accessKey, secretKey }: Login,
  bucket = `layoutfs-${process.pid}-${Date.now().toString(36)}`,
): Promise<S3Source> {
  useCredentials(accessKey, secretKey);
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  } finally {
    client.destroy();
  }
  return { kind: 's3', bucket, prefix: '', endpoint, pathStyle: true, anonymous: false };
}

/** Set the credentials that stores opened from now on will use. */
export function useCredentials(accessKey: string, secretKey: string): void {
  process.env['AWS_ACCESS_KEY_ID'] = accessKey;
  process.env['AWS_SECRET_ACCESS_KEY'] = secretKey;
}
