import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LARGE } from '../origin/dataset.mjs';
import { ContenderMount } from './contenders.mjs';
import * as work from './work.mjs';

/**
 * What one program does in one round.
 *
 * @typedef {object} Round
 * @property {import('./contenders.mjs').Contender} contender
 * @property {import('../origin/start.mjs').Origin} origin
 * @property {import('../origin/dataset.mjs').Dataset} dataset
 * @property {() => Promise<import('./contenders.mjs').Place>} fresh a new place, with an empty cache
 * @property {(line: string, figure: number) => void} note keep a figure
 * @property {{ layout: string, fio: boolean }} local
 */

const RANDOM_READS = 64;

const blobPath = ({ mountpoint }, encoded) => join(mountpoint, 'big/blobs/sha256', encoded);

/** Run `use` on a new mount, cold: nothing is cached anywhere on this host. */
async function onFreshMount(round, use) {
  const place = await round.fresh();
  await work.dropAllPages();
  await round.origin.takeStats();
  const mount = new ContenderMount(round.contender, place);
  try {
    await mount.start(round.origin);
    return await use(mount, place);
  } finally {
    await mount.stop();
  }
}

/** A large blob, again and again, from colder and colder caches. */
export async function sequential(round) {
  const { note, origin, dataset } = round;
  const [{ encoded }] = dataset.big;
  await onFreshMount(round, async (mount, place) => {
    const path = blobPath(place, encoded);
    const before = await mount.usage();
    note('cold', await work.readWhole(path, LARGE));
    const after = await mount.usage();
    const { GET = 0, bytes = 0 } = await origin.takeStats();
    note('cold: CPU s per GiB', after.cpu - before.cpu);
    note('cold: peak memory, MB', after.rss);
    note('cold: GETs', GET);
    note('cold: bytes fetched / size', bytes / LARGE);
    // What a cache still writes is not part of the next line.
    await settle();
    note('again', await work.readWhole(path, LARGE));
    if (round.local.fio) {
      note('again: random 4 KiB (fio)', await work.fio(path, 'randread', 'psync', '4k'));
      note('again: mmap (fio)', await work.fio(path, 'read', 'mmap', '1m'));
    }
    await work.dropPages(path);
    note('its pages dropped', await work.readWhole(path, LARGE));
    await work.dropAllPages();
    note('all pages dropped', await work.readWhole(path, LARGE));
    const again = await origin.takeStats();
    note('all of these: GETs', again.GET ?? 0);
    await mount.stop();
    await work.dropAllPages();
    const second = new ContenderMount(round.contender, place);
    try {
      await second.start(origin);
      note('after a remount', await work.readWhole(path, LARGE));
      const { bytes: fetched = 0 } = await origin.takeStats();
      note('after a remount: bytes fetched / size', fetched / LARGE);
    } finally {
      await second.stop();
    }
  });
}

/** The same blob through the floors below FUSE only; ours alone can do that. */
export async function pipeline(round) {
  if (round.contender.name !== 'layoutfs') return;
  const place = await round.fresh();
  await work.dropAllPages();
  const [{ encoded }] = round.dataset.big;
  round.note('cold, without FUSE', await work.runPipeline(round.origin, place, encoded));
}

/** An image of eight layers, copied by skopeo: cold, then out of the caches. */
export async function image(round) {
  const { note } = round;
  await onFreshMount(round, async (_mount, place) => {
    const layout = join(place.mountpoint, 'image');
    const target = join(place.home, 'copy');
    note('skopeo, cold', await work.copyImage(layout, target));
    await settle();
    note('skopeo, again', await work.copyImage(layout, target));
  });
}

/** Little of a large blob. */
export async function random(round) {
  const { note, origin, dataset } = round;
  await onFreshMount(round, async (_mount, place) => {
    const path = blobPath(place, dataset.big[1].encoded);
    note('64 random 4 KiB', await work.readRandomly(path, RANDOM_READS));
    const { GET = 0, bytes = 0 } = await origin.takeStats();
    note('64 random 4 KiB: GETs', GET);
    note('64 random 4 KiB: MB fetched', bytes / 1e6);
  });
}

/** How soon there is something. */
export async function firstByte(round) {
  const { note, dataset } = round;
  const place = await round.fresh();
  await work.touch(import.meta.filename);
  const mount = new ContenderMount(round.contender, place);
  try {
    const start = performance.now();
    await mount.start(round.origin);
    await work.touch(blobPath(place, dataset.big[2].encoded));
    note('first byte, from the mount command', performance.now() - start);
    note(
      'first byte, from open',
      await work.readFirstByte(blobPath(place, dataset.big[3].encoded)),
    );
  } finally {
    await mount.stop();
  }
}

/** Eight readers of as many large blobs. */
export async function readers(round) {
  const { note, dataset } = round;
  // It does not have that much memory.
  if (round.origin.name === 'radosgw') return;
  await onFreshMount(round, async (mount, place) => {
    const paths = dataset.big.slice(0, 8).map(({ encoded }) => blobPath(place, encoded));
    const before = await mount.usage();
    note('8 readers of 8 blobs', await work.readAll(paths, LARGE));
    const after = await mount.usage();
    note('8 readers: CPU s per GiB', (after.cpu - before.cpu) / paths.length);
    note('8 readers: peak memory, MB', after.rss);
    const { bytes = 0 } = await round.origin.takeStats();
    note('8 readers: bytes fetched / size', bytes / LARGE / paths.length);
  });
}

/** The same work on the local disk, and by tools that mount nothing. */
export async function floors({ note, local }) {
  const { path } = local;
  await work.readWhole(path, LARGE);
  note('again', await work.readWhole(path, LARGE));
  if (local.fio) {
    note('again: random 4 KiB (fio)', await work.fio(path, 'randread', 'psync', '4k'));
    note('again: mmap (fio)', await work.fio(path, 'read', 'mmap', '1m'));
  }
  await work.dropAllPages();
  const dropped = await work.readWhole(path, LARGE);
  note('its pages dropped', dropped);
  note('all pages dropped', dropped);
  note('after a remount', dropped);
  note('skopeo, again', await work.copyImage(local.layout, join(local.home, 'copy')));
  note("Node's own start, ms", await work.startNode());
  note('sha256sum of the file, ms', await work.hashWhole(path));
}

/** Caches write behind; let them. */
async function settle() {
  await sleep(1500);
}
