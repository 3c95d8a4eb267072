import { execFile } from 'node:child_process';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { LARGE } from './dataset.mjs';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, '../../../../test/servers/radosgw.sh');

/** Large blobs that are stored; each takes its size of memory. */
const STORED = 4;

/**
 * The dataset, but for most of its large blobs, in Ceph's object gateway.
 * @param {string} directory of the dataset
 * @returns {Promise<import('./start.mjs').Origin>}
 */
export async function startRadosgw(directory) {
  const state = join(directory, 'radosgw');
  await mkdir(state, { recursive: true });
  const stop = async () => {
    await run(SCRIPT, ['stop', state]);
    await rm(state, { recursive: true, force: true });
  };
  try {
    const { stdout } = await run(SCRIPT, ['start', state], { timeout: 150_000 });
    const said = Object.fromEntries(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/=(.*)/s)),
    );
    const credentials = { accessKey: said.accessKey, secretKey: said.secretKey };
    const bucket = 'bench';
    await upload(directory, { endpoint: said.endpoint, credentials, bucket });
    const counter = new LogCounter(said.log);
    await counter.take();
    return {
      name: 'radosgw',
      url: said.endpoint,
      bucket,
      credentials,
      takeStats: () => counter.take(),
      setFaults: () => Promise.reject(new Error('This store has no faults to set.')),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function upload(directory, { endpoint, credentials, bucket }) {
  const { file, objects, big } = JSON.parse(
    await readFile(join(directory, 'objects.json'), 'utf8'),
  );
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    credentials: { accessKeyId: credentials.accessKey, secretAccessKey: credentials.secretKey },
  });
  const data = await open(file);
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    const stored = big.slice(0, STORED).map(({ encoded }) => encoded);
    for (const { key, size, offset, head } of objects) {
      if (size === LARGE && !stored.some((one) => key.endsWith(one))) continue;
      const body = Buffer.alloc(size);
      await data.read(body, 0, size, offset);
      Buffer.from(head, 'base64').copy(body);
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
    }
  } finally {
    await data.close();
    client.destroy();
  }
}

/** Counts requests and bytes in the gateway's access log. */
class LogCounter {
  #path;
  #position = 0;

  constructor(path) {
    this.#path = path;
  }

  async take() {
    const log = await open(this.#path);
    try {
      const { size } = await log.stat();
      const bytes = Buffer.alloc(size - this.#position);
      await log.read(bytes, 0, bytes.length, this.#position);
      this.#position = size;
      const stats = { bytes: 0 };
      for (const line of bytes.toString().split('\n')) {
        const match = /"(\w+) \S+ HTTP\/[\d.]+" (\d+) (\d+)/.exec(line);
        if (!match || !line.includes('beast')) continue;
        const isObject = /"\w+ \/[^/ ]+\/[^? ]/.test(line);
        const what = isObject ? match[1] : 'LIST';
        stats[what] = (stats[what] ?? 0) + 1;
        stats.bytes += Number(match[3]);
      }
      return stats;
    } finally {
      await log.close();
    }
  }
}
