import { mkdir, mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeDataset, LARGE } from '../origin/dataset.mjs';
import { startOrigin } from '../origin/start.mjs';
import { ContenderMount, present } from './contenders.mjs';
import { digestOf, dropAllPages } from './work.mjs';

/** A reader that waits longer is ended. */
const PATIENCE_MS = 99_000;

/** In the middle of the blob. */
const FLIPPED_BYTE = LARGE / 2 + 12_345;

/**
 * What a reader of a large blob gets when something is wrong, program by program; once each.
 * @param {{ contenders?: string[], progress: (line: string) => void }} options
 * @returns {Promise<Record<string, Record<string, string>>>} by fault and program
 */
export async function compareFaults({ contenders, progress }) {
  const home = await mkdtemp(join(tmpdir(), 'layoutfs-bench-'));
  const results = {};
  try {
    const dataset = await makeDataset(home);
    const [{ encoded }] = dataset.big;
    for (const contender of present().filter(({ name }) => contenders?.includes(name) ?? true)) {
      for (const [fault, check] of Object.entries(FAULTS)) {
        const place = { home: join(home, 'place'), mountpoint: join(home, 'place/mnt') };
        place.cache = join(place.home, 'cache');
        await mkdir(place.mountpoint, { recursive: true });
        const origin = await startOrigin(home, 'paced');
        const mount = new ContenderMount(contender, place);
        const path = join(place.mountpoint, 'big/blobs/sha256', encoded);
        const read = async () => {
          const start = performance.now();
          const got = await digestOf(path, PATIENCE_MS);
          const seconds = ((performance.now() - start) / 1000).toFixed(1);
          if (got === encoded) return `right, ${seconds} s`;
          if (/^[0-9a-f]{64}$/.test(got)) return 'WRONG BYTES, no error';
          return `${got}, ${seconds} s`;
        };
        try {
          await mount.start(origin);
          const outcome = await check({ read, origin, encoded, place });
          for (const [line, words] of Object.entries(outcome)) {
            (results[line] ??= {})[contender.name] = words;
            progress(`  ${contender.name}: ${line}: ${words}`);
          }
        } catch (error) {
          progress(`  ${contender.name} failed in "${fault}": ${error.message}`);
        } finally {
          await mount.stop();
          await origin.stop();
          await rm(place.home, { recursive: true, force: true });
        }
      }
    }
    return results;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

const FAULTS = {
  async flippedInStore({ read, origin, encoded }) {
    await origin.setFaults({ flip: { key: encoded, at: FLIPPED_BYTE } });
    const first = await read();
    await origin.setFaults({});
    return {
      'one bit flipped in a body: the reader gets': first,
      'the next reader, with the fault gone': await read(),
    };
  },
  async flippedInCache({ read, place }) {
    const first = await read();
    // What is cached is written behind.
    await sleep(3000);
    const file = await largestFile(place.cache);
    if (file === undefined)
      return { 'one bit flipped in the cache: the next reader gets': 'no cache' };
    await flip(file, FLIPPED_BYTE);
    await dropAllPages();
    const next = await read();
    return {
      'one bit flipped in the cache: the next reader gets': first.startsWith('right')
        ? next
        : first,
    };
  },
  async storeKilled({ read, origin }) {
    const reader = read();
    await sleep(800);
    await origin.stop();
    return { 'the store dies 0.8 s into the read: the reader gets': await reader };
  },
  async storeRefuses({ read, origin }) {
    await origin.setFaults({ refuse: 0.1 });
    return { '503 on 10 % of requests: the reader gets': await read() };
  },
};

async function largestFile(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  let largest;
  let most = 0;
  for (const entry of entries.filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const { size } = await stat(path);
    if (size > most) [most, largest] = [size, path];
  }
  return most >= LARGE ? largest : undefined;
}

async function flip(path, at) {
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0] ^= 1;
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
}

/** @param {Awaited<ReturnType<typeof compareFaults>>} results */
export function faultsMarkdown(results) {
  const names = [...new Set(Object.values(results).flatMap((row) => Object.keys(row)))];
  const row = (cells) => `| ${cells.join(' | ')} |`;
  return [
    row(['', ...names]),
    row(['---', ...names.map(() => '---')]),
    ...Object.entries(results).map(([fault, by]) => row([fault, ...names.map((n) => by[n] ?? '')])),
  ].join('\n');
}
