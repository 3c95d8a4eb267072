import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makePlace, mounted } from './place.mjs';

const run = promisify(execFile);

/** Of 500 layers each: 40,000 names. */
const MANIFESTS = 80;
const MILLION = 1_000_000;

/** Names before any memory is measured. */
const UNCOUNTED = MILLION;

/** Threads are given names that are kept for some seconds after they are withdrawn, in ms. */
const SETTLED_AFTER = 8000;

const GARBAGE = new URL('../../../test/support/collect-garbage.mjs', import.meta.url).pathname;

/** Looks every other name up, in the directory and of the list that it is given. */
const LOOK_UP = `
import os, sys
names = open(sys.argv[2]).read().split()[int(sys.argv[3])::2]
os.chdir(sys.argv[1])
for name in names: os.stat(name)
`;

/**
 * Memory of a daemon, in MiB, before and within a million names that the kernel looked up and forgot:
 * after each of as many parts as there are repeats. Each figure is taken in the same way, after a
 * collection of all garbage; the first one after some rounds that are not counted, in which all is
 * read and compiled that is so only once. Root only.
 * @param {{ repeats: number }} options
 * @returns {Promise<import('./report.mjs').Measurement[]>}
 */
export async function measureForget({ repeats }) {
  const home = await mkdtemp(join(tmpdir(), 'layoutfs-bench-'));
  try {
    const { blobs, names, namesFile } = await makePlace(home, MANIFESTS);
    const mountpoint = join(home, 'mnt');
    const round = async () => {
      const clients = [0, 1].map((part) =>
        run('python3', ['-c', LOOK_UP, blobs, namesFile, String(part)]),
      );
      await Promise.all(clients);
      // The kernel forgets all names of a file system that is mounted anew, and of no other.
      await run('mount', ['-i', '-o', 'remount,ro,nosuid,nodev', mountpoint]);
    };
    const use = async ({ status }) => {
      const memory = async () => {
        await new Promise((resolve) => setTimeout(resolve, SETTLED_AFTER));
        process.kill((await status()).pid, 'SIGUSR2');
        await new Promise((resolve) => setTimeout(resolve, 1000));
        const { rssBytes, heapBytes } = (await status()).memory;
        return { resident: rssBytes / 2 ** 20, heap: heapBytes / 2 ** 20 };
      };
      const rounds = async (lookups) => {
        for (let count = 0; count < lookups; count += names.length) await round();
      };
      await rounds(UNCOUNTED);
      const before = await memory();
      const after = [];
      for (let part = 0; part < repeats; part++) {
        await rounds(MILLION / repeats);
        after.push(await memory());
      }
      return ['heap', 'resident'].map((kind) => ({
        name: `forget, ${kind}`,
        unit: 'MiB',
        cases: [
          { name: 'before', figures: [before[kind]] },
          { name: 'within a million', figures: after.map((one) => one[kind]) },
          { name: 'after a million', figures: after.slice(-1).map((one) => one[kind]) },
        ],
      }));
    };
    return await mounted(home, 'kernel', use, { NODE_OPTIONS: `--import=${GARBAGE}` });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
