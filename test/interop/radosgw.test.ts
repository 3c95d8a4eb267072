import { afterAll, beforeAll } from 'vitest';

import { startRadosgw } from '../servers/radosgw.js';
import type { S3Server } from '../servers/server.js';
import { runContainers } from './containers.js';
import { readFiles } from './files.js';
import { readImages } from './images.js';
import { bucketNamed, BUCKETS } from './sources.js';
import type { StoreBucket } from './store-bucket.js';
import { storeRemotely } from './store-bucket.js';

let server: S3Server;

beforeAll(async () => {
  server = await startRadosgw();
});
afterAll(() => server.stop());

const store: StoreBucket = (bucket) => storeRemotely(server, bucket);

for (const bucket of BUCKETS) readImages(bucket, store);
readFiles(bucketNamed('test images, shared'), store);
readFiles(bucketNamed('test images, placeholders'), store);
runContainers(bucketNamed('test images, shared'), store);
