import { afterAll, beforeAll } from 'vitest';

import { uploadKeys } from '../images/upload.js';
import { startRadosgw } from '../servers/radosgw.js';
import type { S3Server } from '../servers/server.js';
import { compareImages } from './compare-images.js';
import { BUCKETS } from './sources.js';

const REGION = 'us-east-1';
let server: S3Server;

beforeAll(async () => {
  server = await startRadosgw();
});
afterAll(() => server.stop());

for (const [position, bucket] of BUCKETS.entries()) {
  compareImages(bucket, async ({ keys }) => {
    const { endpoint, accessKey, secretKey } = server;
    const name = `interop-${position}`;
    await uploadKeys(
      {
        endpoint,
        region: REGION,
        accessKeyId: accessKey,
        secretAccessKey: secretKey,
        bucket: name,
      },
      keys,
    );
    return {
      source: `s3://${name}?endpoint=${endpoint}&region=${REGION}`,
      env: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey },
    };
  });
}
