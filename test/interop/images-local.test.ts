import { compareImages } from './compare-images.js';
import { BUCKETS } from './sources.js';
import { writeKeys } from '../images/layouts.js';

for (const bucket of BUCKETS) {
  compareImages(bucket, async ({ keys }, directory) => {
    await writeKeys(directory, keys);
    return { source: `file://${directory}` };
  });
}
