import { readFiles } from './files.js';
import { readImages } from './images.js';
import { runContainers } from './containers.js';
import { bucketNamed, BUCKETS } from './sources.js';
import { storeLocally } from './store-bucket.js';

for (const bucket of BUCKETS) readImages(bucket, storeLocally);
readFiles(bucketNamed('test images, shared'), storeLocally);
readFiles(bucketNamed('test images, placeholders'), storeLocally);
runContainers(bucketNamed('test images, shared'), storeLocally);
