import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makePlace, mounted } from './place.mjs';

const run = promisify(execFile);
const TRANSPORTS = ['libfuse', 'kernel'];
const CLIENTS = 4;
const MANIFESTS = 40;

/** Waits for a line, then does one thing per name and prints how long all of them took, in ms. */
const CLIENT = `
import os, sys, time
what, directory, part, parts, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
names = [line.rstrip('\\n') for line in open(sys.argv[6])][part::parts]
os.chdir(directory)
print('ready', flush=True)
sys.stdin.readline()
start = time.monotonic()
for _ in range(times):
    if what == 'lookup':
        for name in names: os.stat(name)
    else:
        for name in names: os.close(os.open(name, os.O_RDONLY))
print((time.monotonic() - start) * 1000, flush=True)
`;

/** Reads a file ten times past the kernel's pages; prints MB per second. */
const DIRECT_READER = `
import mmap, os, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
buffer = mmap.mmap(-1, 1 << 20)
total, start = 0, time.monotonic()
for _ in range(10):
    offset = 0
    while True:
        count = os.preadv(fd, [buffer], offset)
        if count == 0: break
        offset += count
    total += offset
print(total / (time.monotonic() - start) / 1e6)
`;

/**
 * Lookups of names that the kernel does not know yet, by parallel clients: a fresh mount whose
 * daemon has read the manifests already.
 * @param {{ repeats: number }} options
 * @returns {Promise<import('./report.mjs').Measurement>}
 */
export function measureLookups({ repeats }) {
  return measure('lookups', 'lookups/s', repeats, async (place) => {
    // One lookup makes the daemon read all manifests.
    await run('stat', [join(place.blobs, place.names[0])]);
    const milliseconds = await clients(place, 'lookup', place.namesFile, 1);
    return (place.names.length / milliseconds) * 1000;
  });
}

/**
 * Opens and closes of files that were read before, by parallel clients.
 * @param {{ repeats: number }} options
 * @returns {Promise<import('./report.mjs').Measurement>}
 */
export function measureOpens({ repeats }) {
  return measure('opens', 'opens/s', repeats, async (place) => {
    const paths = place.manifests.map((name) => join(place.blobs, name));
    await run('cat', paths, { maxBuffer: 2 ** 28 });
    const times = 100;
    const milliseconds = await clients(place, 'open', place.manifestsFile, times);
    return ((place.manifests.length * times) / milliseconds) * 1000;
  });
}

/**
 * One reader reads a file from start to end whose bytes the daemon has in memory, and the kernel has
 * not: it reads past the kernel's pages (O_DIRECT), 1 MiB at a time.
 * @param {{ repeats: number }} options
 * @returns {Promise<import('./report.mjs').Measurement>}
 */
export function measureReads({ repeats }) {
  return measure('reads', 'MB/s', repeats, async (place) => {
    const path = join(place.blobs, place.large);
    await run('cat', [path], { encoding: 'buffer', maxBuffer: 2 ** 28 });
    const { stdout } = await run('python3', ['-c', DIRECT_READER, path]);
    return Number(stdout);
  });
}

/** Each transport in turn, on a fresh mount each time; the first round is not counted. */
async function measure(name, unit, repeats, once) {
  const home = await mkdtemp(join(tmpdir(), 'layoutfs-bench-'));
  try {
    const place = await makePlace(home, MANIFESTS);
    const cases = TRANSPORTS.map((transport) => ({ name: transport, figures: [] }));
    for (let round = 0; round <= repeats; round++) {
      for (const one of cases) {
        const figure = await mounted(home, one.name, () => once(place));
        if (round > 0) one.figures.push(figure);
      }
    }
    return { name, unit, cases };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Start all clients, let them go at once; the time of the slowest, in ms. */
async function clients(place, what, file, times) {
  const all = Array.from({ length: CLIENTS }, (_, part) => {
    const args = [what, place.blobs, part, CLIENTS, times, file].map(String);
    return spawn('python3', ['-c', CLIENT, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  });
  const line = async (client) => String((await once(client.stdout, 'data'))[0]).trim();
  await Promise.all(all.map(line));
  const figures = all.map(line);
  // One that still ends keeps the mount busy.
  const ends = all.map((client) => once(client, 'exit'));
  for (const client of all) client.stdin.end('\n');
  const took = await Promise.all(figures);
  await Promise.all(ends);
  return Math.max(...took.map(Number));
}
