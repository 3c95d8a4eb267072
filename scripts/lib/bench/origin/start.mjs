import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startRadosgw } from './radosgw.mjs';

/**
 * A store to measure with.
 * @typedef {object} Origin
 * @property {string} name for tables
 * @property {string} url endpoint, without the bucket
 * @property {string} bucket
 * @property {{ accessKey: string, secretKey: string }} [credentials] those that it wants
 * @property {() => Promise<Record<string, number>>} takeStats counters since the last time
 * @property {(faults: object) => Promise<void>} setFaults
 * @property {() => Promise<void>} stop
 */

/** How stores of the net behave, and one that is as fast as it can be. */
export const PACES = {
  paced: { ttfb: 20, rate: 90, about: '20 ms to the first byte, 90 MB/s per connection' },
  unpaced: { ttfb: 0, rate: 0, about: 'no delay' },
  radosgw: { about: "Ceph's object gateway on this host; less data" },
};

/**
 * @param {string} directory of the dataset
 * @param {keyof typeof PACES} pace
 * @returns {Promise<Origin>}
 */
export async function startOrigin(directory, pace) {
  if (pace === 'radosgw') return startRadosgw(directory);
  const bucket = 'bench';
  const { ttfb, rate } = PACES[pace];
  const script = join(import.meta.dirname, 'server.mjs');
  const child = spawn(
    process.execPath,
    [script, join(directory, 'objects.json'), bucket, String(ttfb), String(rate)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [port] = await once(child.stdout, 'data');
  const url = `http://127.0.0.1:${String(port).trim()}`;
  return {
    name: pace,
    url,
    bucket,
    takeStats: async () => (await fetch(`${url}/.stats`)).json(),
    setFaults: async (faults) => {
      await fetch(`${url}/.faults`, { method: 'POST', body: JSON.stringify(faults) });
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
