import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePlace, mounted } from './place.mjs';

/** Opens and reads a file again and again until a word is in it; tells both moments. */
const READER = `
import sys, time
path, word = sys.argv[1:]
open(path).read()
print('ready', flush=True)
while word not in open(path).read(): time.sleep(0.0005)
print('seen', flush=True)
`;

/**
 * Milliseconds from the announcement of a new index.json, to the daemon itself or by the command, to
 * the first open that shows it. Without an announcement it would be the refresh interval.
 * @param {{ repeats: number }} options
 * @returns {Promise<import('./report.mjs').Measurement>}
 */
export async function measurePushed({ repeats }) {
  const home = await mkdtemp(join(tmpdir(), 'layoutfs-bench-'));
  try {
    await makePlace(home, 1);
    const stored = join(home, 'store/r/index.json');
    const mountpoint = join(home, 'mnt');
    const index = JSON.parse(await readFile(stored, 'utf8'));
    const ways = [
      { name: 'told to the daemon', tell: () => tellDaemon(home), figures: [] },
      {
        name: 'by the command layoutfs refresh',
        tell: (mount) => mount.layoutfs('refresh', mountpoint, 'r'),
        figures: [],
      },
    ];
    await mounted(home, 'kernel', async (mount) => {
      for (let round = 0; round <= repeats; round++) {
        for (const [number, way] of ways.entries()) {
          const word = `push-${round}-${number}`;
          const args = ['-c', READER, join(mountpoint, 'r/index.json'), word];
          const reader = spawn('python3', args, { stdio: ['ignore', 'pipe', 'inherit'] });
          const exit = once(reader, 'exit');
          await once(reader.stdout, 'data');
          await writeFile(`${stored}.new`, JSON.stringify({ ...index, annotations: { word } }));
          await rename(`${stored}.new`, stored);
          const seen = once(reader.stdout, 'data');
          const start = performance.now();
          const told = way.tell(mount);
          await seen;
          if (round > 0) way.figures.push(performance.now() - start);
          await told;
          await exit;
        }
      }
    });
    return {
      name: 'pushed',
      unit: 'ms',
      cases: ways.map(({ name, figures }) => ({ name, figures })),
    };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** As the command does, without the start of a program. @param {string} home */
async function tellDaemon(home) {
  const sockets = join(home, 'layoutfs');
  const name = (await readdir(sockets)).find((file) => file.endsWith('.sock'));
  const call = request({
    socketPath: join(sockets, name),
    method: 'POST',
    path: '/refresh',
    agent: false,
  });
  call.end(JSON.stringify({ repositories: ['r'] }));
  const [answer] = await once(call, 'response');
  answer.resume();
  await once(answer, 'end');
}
