// Reads one blob through layoutfs' own floors, without FUSE, and prints MB/s.
//   node pipeline.mjs SOURCE STATE-DIR CACHE-DIR REPOSITORY DIGEST
import { resolveOptions } from '../../../../dist/config/resolve.js';
import { wire } from '../../../../dist/daemon/wire.js';
import { Counters } from '../../../../dist/observe/counters.js';
import { silentLog } from '../../../../dist/observe/log.js';

const [, , source, stateDir, cacheDir, repository, encoded] = process.argv;
/** As the kernel reads: this many bytes, this many requests ahead. */
const READ = 2 ** 20;
const AHEAD = 2;

const written = { cacheDir: { value: cacheDir, origin: '--cache-dir' } };
const options = await resolveOptions(written, process.env);
const log = silentLog;
const { tree, close } = await wire(
  { source, options, stateDir, log, counters: new Counters() },
  Buffer.alloc(32, 7),
);
let ino = 1;
let size = 0;
for (const name of [repository, 'blobs', 'sha256', encoded]) {
  ({ ino, size } = (await tree.lookup(ino, name)).attributes);
}
const { handle } = await tree.open(ino);
const start = performance.now();
let next = 0;
const reader = async () => {
  while (next < size) {
    const offset = next;
    next += READ;
    await tree.read(handle, offset, READ);
  }
};
await Promise.all(Array.from({ length: AHEAD }, reader));
console.log(size / (performance.now() - start) / 1000);
tree.release(handle);
await close();
process.exit();
