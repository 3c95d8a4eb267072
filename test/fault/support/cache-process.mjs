// One of several processes over a cache directory: keeps, reads and half-writes blobs at random, and
// compares every byte that it is given. Arguments: directory, seed, and after how many steps it ends.
// It ends at SIGTERM too, with what it did as JSON; or with exit code 3, when it was given a wrong byte.
import { createHash } from 'node:crypto';
import { openDiskCache } from '../../../dist/blobs/disk/local-disk-cache.js';
import { Counters } from '../../../dist/observe/counters.js';
import { silentLog } from '../../../dist/observe/log.js';

const [directory, seed, steps = Infinity] = process.argv.slice(2);
const counters = new Counters();
const warnings = [];
const cache = await openDiskCache({
  directory,
  maxBytes: 1_500_000,
  minFreeBytes: 0,
  partSize: 32 * 1024,
  log: { ...silentLog, warn: (_, message) => warnings.push(message) },
  counters,
});

/** Numbers from 0 to 1 that the seed alone decides (mulberry32). */
let state = Number(seed);
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (limit) => Math.floor(random() * limit);

/** The same blobs in every process. */
const contents = Array.from({ length: 16 }, (_, index) => {
  const bytes = Buffer.alloc(1 + ((index * 20_011) % 300_000));
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + index * 13) & 0xff;
  bytes[0] = index;
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { bytes, name: { digest, size: bytes.length } };
});

async function check(blob, { bytes, name }) {
  const read = Buffer.alloc(name.size);
  // What was right when it was opened may be damaged while it is open.
  for (let again = 0; again < 5 && blob !== undefined; again++) {
    const failed = await blob.read(read, 0).catch(() => 'failed');
    blob.close();
    if (failed === undefined && read.equals(bytes)) return;
    blob = await cache.open(name);
    if (failed === undefined && blob !== undefined && again === 4) {
      process.stdout.write(`wrong bytes of ${name.digest}\n`);
      process.exit(3);
    }
  }
}

/** As a reader does; with `parts` it gives up after that many. */
async function keep({ bytes, name }, parts = Infinity) {
  const partial = await cache.openPartial(name);
  if (partial === undefined) return undefined;
  const seen = Buffer.from(bytes);
  for (let index = 0; index * partial.partSize < name.size; index++) {
    if (index >= parts) {
      await partial.close();
      return undefined;
    }
    const at = index * partial.partSize;
    const part = seen.subarray(at, at + partial.partSize);
    const left =
      partial.has(index) &&
      (await partial.read(part, at).then(
        () => true,
        () => false,
      ));
    if (left) continue;
    bytes.copy(seen, at, at, at + partial.partSize);
    if (await partial.write(index, part)) continue;
    await partial.close();
    return undefined;
  }
  if (seen.equals(bytes)) return partial.complete();
  await partial.discard();
  return undefined;
}

let ending = false;
process.on('SIGTERM', () => (ending = true));
process.stdout.write('ready\n');
for (let step = 0; !ending && step < steps; step++) {
  const content = contents[below(contents.length)];
  const give = random() < 0.2 ? below(10) : Infinity;
  const blob = (await cache.open(content.name)) ?? (await keep(content, give));
  if (blob !== undefined) await check(blob, content);
}
await cache.close();
process.stdout.write(`${JSON.stringify({ counters: counters.snapshot(), warnings })}\n`);
