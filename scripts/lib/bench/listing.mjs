import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makePlace, mounted } from './place.mjs';

const run = promisify(execFile);

/** Of 500 layers each. */
const MANIFESTS = 10;

/**
 * `ls -l` of 5,000 blobs through a fresh mount whose daemon has read the manifests already, and once
 * more: milliseconds, and requests that reached the daemon.
 * @param {{ repeats: number }} options
 * @returns {Promise<import('./report.mjs').Measurement[]>}
 */
export async function measureListing({ repeats }) {
  const home = await mkdtemp(join(tmpdir(), 'layoutfs-bench-'));
  try {
    const { blobs, names } = await makePlace(home, MANIFESTS);
    const cases = ['libfuse', 'kernel'].flatMap((transport) =>
      ['cold', 'warm'].map((state) => ({
        transport,
        name: `${transport}, ${state}`,
        times: [],
        requests: [],
      })),
    );
    for (let round = 0; round <= repeats; round++) {
      for (const transport of ['libfuse', 'kernel']) {
        await mounted(home, transport, async ({ status }) => {
          await run('stat', [join(blobs, names[0])]);
          for (const one of cases.filter((other) => other.transport === transport)) {
            const before = total(await status());
            const start = performance.now();
            await run('ls', ['-l', blobs], { maxBuffer: 2 ** 26 });
            const milliseconds = performance.now() - start;
            const requests = total(await status()) - before;
            if (round === 0) continue;
            one.times.push(milliseconds);
            one.requests.push(requests);
          }
        });
      }
    }
    const figures = (name, unit, key) => ({
      name,
      unit,
      cases: cases.map((one) => ({ name: one.name, figures: one[key] })),
    });
    return [figures('listing', 'ms', 'times'), figures('listing', 'requests', 'requests')];
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Requests so far, without those that asking for the status costs. */
function total({ requests }) {
  return Object.entries(requests).reduce(
    (sum, [kind, count]) => sum + (kind === 'statfs' ? 0 : count),
    0,
  );
}
