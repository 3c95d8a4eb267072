import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CREDENTIALS } from './contenders.mjs';

const run = promisify(execFile);
const LONGEST_MS = 300_000;

/** Reads 4 KiB at random places, the same ones each time; prints the ms that it took. */
const RANDOM_READER = `
import os, random, sys, time
random.seed(7)
fd = os.open(sys.argv[1], os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
size = os.fstat(fd).st_size
start = time.monotonic()
for _ in range(int(sys.argv[2])):
    os.pread(fd, 4096, random.randrange(size // 4096) * 4096)
print((time.monotonic() - start) * 1000)
`;

/** Opens a file and reads its first byte; prints the ms that it took. */
const FIRST_BYTE = `
import os, sys, time
start = time.monotonic()
fd = os.open(sys.argv[1], os.O_RDONLY)
os.read(fd, 1)
print((time.monotonic() - start) * 1000)
`;

async function timed(program, args) {
  const start = performance.now();
  await run(program, args, { timeout: LONGEST_MS, maxBuffer: 2 ** 24 });
  return performance.now() - start;
}

/** MB/s of one sequential reader with large reads. */
export async function readWhole(path, size) {
  const milliseconds = await timed('dd', [`if=${path}`, 'of=/dev/null', 'bs=1M', 'status=none']);
  return size / milliseconds / 1000;
}

/** MB/s of all readers together, one per path. */
export async function readAll(paths, size) {
  const start = performance.now();
  await Promise.all(paths.map((path) => readWhole(path, size)));
  return (size * paths.length) / (performance.now() - start) / 1000;
}

/** ms for `count` random reads of 4 KiB. */
export async function readRandomly(path, count) {
  const { stdout } = await run('python3', ['-c', RANDOM_READER, path, String(count)]);
  return Number(stdout);
}

/** Read the first byte of a file, by a program that takes next to no time to start. */
export async function touch(path) {
  await run('head', ['-c', '1', path]);
}

/** ms that Node takes to start and end. */
export function startNode() {
  return timed(process.execPath, ['-e', '0']);
}

/** ms from open to the first byte. */
export async function readFirstByte(path) {
  const { stdout } = await run('python3', ['-c', FIRST_BYTE, path]);
  return Number(stdout);
}

/** ms that skopeo takes to copy an image out of a layout. */
export async function copyImage(layout, target) {
  await run('rm', ['-rf', target]);
  return timed('skopeo', ['copy', '--quiet', `oci:${layout}:latest`, `dir:${target}`]);
}

/** MB/s of a blob of `big` without FUSE, see `pipeline.mjs`. */
export async function runPipeline({ url, bucket, credentials }, { home, cache }, encoded) {
  const script = join(import.meta.dirname, 'pipeline.mjs');
  const source = `s3://${bucket}?endpoint=${url}&region=us-east-1`;
  const { accessKey, secretKey } = credentials ?? CREDENTIALS;
  const env = { ...process.env, AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey };
  await mkdir(cache, { mode: 0o700, recursive: true });
  const args = [script, source, join(home, 'state'), cache, 'big', encoded];
  const { stdout } = await run(process.execPath, args, { env, timeout: LONGEST_MS });
  return Number(stdout);
}

/** ms of sha256sum. */
export function hashWhole(path) {
  return timed('sha256sum', [path]);
}

/** The digest that a reader gets, or the errno's words. */
export async function digestOf(path, timeout) {
  try {
    const { stdout } = await run('sha256sum', [path], { timeout, killSignal: 'SIGKILL' });
    return stdout.split(' ')[0];
  } catch (error) {
    if (error.killed) return 'unanswered';
    return String(error.stderr).trim().split(': ').at(-1);
  }
}

/**
 * A second of fio on a file.
 * @param {'read' | 'randread'} pattern @param {'psync' | 'mmap'} engine @param {string} block
 * @returns {Promise<number>} MB/s
 */
export async function fio(path, pattern, engine, block) {
  const args = ['--name=bench', `--filename=${path}`, '--readonly', `--rw=${pattern}`];
  const more = [`--bs=${block}`, `--ioengine=${engine}`, '--iodepth=1', '--time_based'];
  const limits = ['--runtime=2', '--output-format=json', '--invalidate=0', '--size=1g'];
  const { stdout } = await run('fio', [...args, ...more, ...limits], { timeout: LONGEST_MS });
  // Some versions talk before the JSON.
  const { jobs } = JSON.parse(stdout.slice(stdout.indexOf('{')));
  return jobs[0].read.bw_bytes / 1e6;
}

/** Have the kernel drop the pages of one file. */
export async function dropPages(path) {
  await run('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
}

/** Have the kernel drop all pages, names and inodes that it can; needs root. */
export async function dropAllPages() {
  await run('sync');
  await writeFile('/proc/sys/vm/drop_caches', '3');
}
