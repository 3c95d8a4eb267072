import { PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import { inject } from 'vitest';
import { formatSource } from '../../../src/store/source.js';
import { type S3Source } from '../../../src/store/source.js';
import { uploadKeys } from '../../images/upload.js';
import { useCredentials } from '../../servers/bucket.js';

/** A bucket of the project's S3 server. */
export interface S3Bucket {
  readonly bucket: string;
  readonly source: S3Source;
  /** As typed on the command line. */
  readonly url: string;
  /** Refuse everybody these actions on keys that begin so. */
  readonly deny: (actions: readonly string[], prefix: string) => Promise<void>;
}

let made = 0;

/** A new bucket with these objects. The SDK's environment is set for what this process opens later. */
export async function makeS3Bucket(
  objects: Iterable<readonly [string, string | Uint8Array]>,
): Promise<S3Bucket> {
  const { endpoint, accessKey, secretKey } = inject('radosgw');
  const bucket = `migrate-${process.pid}-${(made += 1)}`;
  const region = 'us-east-1';
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const keys = new Map([...objects].map(([key, body]) => [key, Buffer.from(body)]));
  await uploadKeys({ endpoint, region, ...credentials, bucket }, keys);
  useCredentials(accessKey, secretKey);
  const source: S3Source = {
    kind: 's3',
    bucket,
    prefix: '',
    endpoint,
    pathStyle: true,
    anonymous: false,
  };
  const deny = async (actions: readonly string[], prefix: string) => {
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    const statement = {
      Effect: 'Deny',
      Principal: '*',
      Action: actions,
      Resource: [`arn:aws:s3:::${bucket}/${prefix}*`],
    };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    try {
      await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
    } finally {
      client.destroy();
    }
  };
  return { bucket, source, url: formatSource(source), deny };
}
