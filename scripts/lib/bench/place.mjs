import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The program that is measured: the last build. */
export const LAYOUTFS = join(import.meta.dirname, '../../../bin/layoutfs');
const LAYERS = 500;
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** Bytes of the large file: all its parts fit into the daemon's memory. */
const LARGE = 24 * 2 ** 20;

/**
 * @typedef {object} Mounted
 * @property {(...words: string[]) => Promise<string>} layoutfs runs a command, answers its output
 * @property {() => Promise<any>} status what `layoutfs status --json` says of the mount
 */

/**
 * Do something while the store of {@link makePlace} is mounted.
 * @template T
 * @param {string} home
 * @param {string} transport
 * @param {(mount: Mounted) => Promise<T>} use
 * @param {NodeJS.ProcessEnv} [env] added to the daemon's environment
 * @returns {Promise<T>}
 */
export async function mounted(home, transport, use, env = {}) {
  const options = { env: { ...process.env, XDG_RUNTIME_DIR: home, ...env }, timeout: 60_000 };
  const own = ['--state-dir', join(home, 'state'), '--log', join(home, 'log')];
  const mountpoint = join(home, 'mnt');
  const more = ['--transport', transport, '--refresh', '10m'];
  const layoutfs = async (...words) => (await run(LAYOUTFS, words, options)).stdout;
  const status = async () => JSON.parse(await layoutfs('status', '--json', mountpoint));
  await layoutfs('mount', join(home, 'store'), mountpoint, ...own, ...more);
  try {
    return await use({ layoutfs, status });
  } finally {
    // Not to wait for a container that was started meanwhile and has the mount in its namespace.
    await layoutfs('umount', '--lazy', mountpoint);
  }
}

/**
 * A plain layout with 500 layers for each manifest, which are listed there and not stored, and a
 * large one that is.
 * @param {string} home a new directory
 * @param {number} count of manifests
 */
export async function makePlace(home, count) {
  const blobs = join(home, 'store/r/blobs/sha256');
  await mkdir(blobs, { recursive: true });
  await mkdir(join(home, 'mnt'));
  const put = async (bytes) => {
    const encoded = createHash('sha256').update(bytes).digest('hex');
    await writeFile(join(blobs, encoded), bytes);
    return { digest: `sha256:${encoded}`, size: Buffer.byteLength(bytes), encoded };
  };
  const config = await put('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}}');
  const large = await put(Buffer.alloc(LARGE, 'l'));
  const names = [];
  const manifests = [];
  for (let m = 0; m < count; m++) {
    const layers = Array.from({ length: LAYERS }, (_, i) => {
      const encoded = createHash('sha256').update(`${m}/${i}`).digest('hex');
      names.push(encoded);
      return { mediaType: LAYER, digest: `sha256:${encoded}`, size: 1000 + i };
    });
    const document = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: [...layers, { mediaType: LAYER, ...large }],
    };
    manifests.push(await put(JSON.stringify(document)));
  }
  const index = manifests.map(({ digest, size }) => ({ mediaType: MANIFEST, digest, size }));
  await writeFile(join(home, 'store/r/oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(
    join(home, 'store/r/index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: index }),
  );
  const place = {
    blobs: join(home, 'mnt/r/blobs/sha256'),
    large: large.encoded,
    names,
    namesFile: join(home, 'names'),
    manifests: manifests.map(({ encoded }) => encoded),
    manifestsFile: join(home, 'manifests'),
  };
  await writeFile(place.namesFile, place.names.join('\n'));
  await writeFile(place.manifestsFile, place.manifests.join('\n'));
  return place;
}
