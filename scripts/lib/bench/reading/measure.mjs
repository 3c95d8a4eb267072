import { copyFile, mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeDataset, LARGE } from '../origin/dataset.mjs';
import { startOrigin } from '../origin/start.mjs';
import { present } from './contenders.mjs';
import * as phases from './phases.mjs';

export const PHASES = ['sequential', 'pipeline', 'image', 'random', 'firstByte', 'readers'];
const LOCAL = 'local disk';

/**
 * Read through every program that is here, taking turns; phases and programs in the same order in
 * each round. As root only: pages of the kernel must be dropped.
 * @param {{ repeats: number, pace: keyof typeof import('../origin/start.mjs').PACES, phases?: string[], contenders?: string[], progress: (line: string) => void }} options
 * @returns {Promise<import('./table.mjs').Comparison>}
 */
export async function measureReading({
  repeats,
  pace,
  phases: chosen = PHASES,
  contenders,
  progress,
}) {
  if (process.getuid?.() !== 0)
    throw new Error('This measurement drops page caches: run it as root.');
  const home = await mkdtemp(join(tmpdir(), 'layoutfs-bench-'));
  const programs = present().filter(({ name }) => contenders?.includes(name) ?? true);
  const figures = {};
  const noteFor = (name) => (line, figure) => {
    ((figures[line] ??= {})[name] ??= []).push(figure);
    progress(`  ${name}: ${line} ${figure.toFixed(2)}`);
  };
  let origin;
  try {
    progress('Making 1 GiB of data…');
    const dataset = await makeDataset(home);
    const local = await makeLocal(home, dataset);
    origin = await startOrigin(home, pace);
    let places = 0;
    for (let round = 0; round < repeats; round++) {
      progress(`Round ${round + 1} of ${repeats}`);
      await phases.floors({ note: noteFor(LOCAL), local });
      for (const phase of chosen) {
        for (const contender of programs) {
          let place;
          const fresh = async () => {
            const one = join(home, `place-${++places}`);
            place = { home: one, mountpoint: join(one, 'mnt'), cache: join(one, 'cache') };
            await mkdir(place.mountpoint, { recursive: true });
            return place;
          };
          const note = noteFor(contender.name);
          try {
            await phases[phase]({ contender, origin, dataset, fresh, note, local });
          } catch (error) {
            progress(`  ${contender.name} failed in "${phase}": ${error.message}`);
          } finally {
            if (place) await rm(place.home, { recursive: true, force: true });
          }
        }
      }
    }
    return { pace, repeats, names: [LOCAL, ...programs.map(({ name }) => name)], figures };
  } finally {
    await origin?.stop();
    await rm(home, { recursive: true, force: true });
  }
}

/** The large blob and the image as plain files, on the file system of the caches. */
async function makeLocal(home, { file, objects, big }) {
  const directory = join(home, 'local');
  await mkdir(directory);
  const layout = join(directory, 'image');
  const source = await open(file);
  for (const { key, size, offset, head } of objects.filter(({ key }) => key.startsWith('image/'))) {
    const target = join(directory, key);
    await mkdir(dirname(target), { recursive: true });
    const bytes = Buffer.alloc(size);
    await source.read(bytes, 0, size, offset);
    Buffer.from(head, 'base64').copy(bytes);
    await writeFile(target, bytes);
  }
  await source.close();
  const path = join(directory, big[0].encoded);
  await copyFile(file, path);
  const copy = await open(path, 'r+');
  await copy.write(Buffer.from(objects.find(({ size }) => size === LARGE).head, 'base64'), 0);
  await copy.close();
  return { home: directory, path, layout, fio: hasFio() };
}

function hasFio() {
  try {
    execFileSync('fio', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
