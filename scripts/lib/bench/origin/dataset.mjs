import { createCipheriv, createHash } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * What the origin serves: a zot bucket with the repositories `big` (blobs of 1 GiB) and `image` (an
 * image of 8 layers, 230 MB). All large blobs are views on one file, with another beginning each, so
 * that 8 GiB of blobs take 1 GiB of memory.
 *
 * @typedef {object} StoredObject
 * @property {string} key
 * @property {number} size in bytes
 * @property {number} offset in the file, in bytes
 * @property {string} head bytes that replace the first ones of the file's, in base64
 *
 * @typedef {object} Dataset
 * @property {string} file
 * @property {StoredObject[]} objects
 * @property {{ encoded: string, size: number }[]} big the large blobs
 * @property {string} manifest encoded digest of the image's manifest
 */

export const LARGE = 2 ** 30;
const LARGE_BLOBS = 9;
const MIB = 2 ** 20;
/** Like a real image: a base, some packages, many small things. About 230 MB. */
const LAYERS = [78, 62, 41, 24, 9, 3, 1.5, 0.5].map((mib) => Math.round(mib * MIB));
const HEAD = 4096;
const STEP = 16 * MIB;

const MEDIA = {
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
};

/**
 * Make the data below `directory`; the same bytes every time.
 * @param {string} directory
 * @returns {Promise<Dataset>}
 */
export async function makeDataset(directory) {
  const file = join(directory, 'data');
  await writeNoise(file, LARGE);
  const base = await open(file);
  /** @type {StoredObject[]} */
  const objects = [];
  const put = (repository, { encoded, size, offset, head }) => {
    objects.push({ key: `${repository}/blobs/sha256/${encoded}`, size, offset, head });
  };
  const text = (repository, name, value) => {
    const bytes = Buffer.from(value);
    objects.push({
      key: `${repository}/${name}`,
      size: bytes.length,
      offset: 0,
      head: bytes.toString('base64'),
    });
    return bytes.length;
  };
  const document = (repository, value) => {
    const json = JSON.stringify(value);
    const encoded = createHash('sha256').update(json).digest('hex');
    const size = text(repository, `blobs/sha256/${encoded}`, json);
    return { digest: `sha256:${encoded}`, size };
  };
  const repository = (name, blobs) => {
    for (const blob of blobs) put(name, blob);
    const config = document(name, {
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: blobs.map(({ encoded }) => `sha256:${encoded}`) },
    });
    const manifest = document(name, {
      schemaVersion: 2,
      mediaType: MEDIA.manifest,
      config: { mediaType: MEDIA.config, ...config },
      layers: blobs.map(({ encoded, size }) => ({
        mediaType: MEDIA.layer,
        digest: `sha256:${encoded}`,
        size,
      })),
    });
    text(name, 'oci-layout', '{"imageLayoutVersion":"1.0.0"}');
    const tagged = { 'org.opencontainers.image.ref.name': 'latest' };
    text(
      name,
      'index.json',
      JSON.stringify({
        schemaVersion: 2,
        manifests: [{ mediaType: MEDIA.manifest, ...manifest, annotations: tagged }],
      }),
    );
    return manifest;
  };
  try {
    const big = [];
    for (let i = 0; i < LARGE_BLOBS; i++) big.push(await view(base, `large ${i}`, 0, LARGE));
    const layers = [];
    let offset = 0;
    for (const [i, size] of LAYERS.entries()) {
      layers.push(await view(base, `layer ${i}`, offset, size));
      offset += size;
    }
    repository('big', big);
    const manifest = repository('image', layers);
    objects.sort((a, b) => (a.key < b.key ? -1 : 1));
    await writeFile(join(directory, 'objects.json'), JSON.stringify({ file, objects, big }));
    return { file, objects, big, manifest: manifest.digest.slice('sha256:'.length) };
  } finally {
    await base.close();
  }
}

/** Noise that neither compresses nor repeats. */
async function writeNoise(file, size) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16, 2));
  const zeros = Buffer.alloc(STEP);
  const target = await open(file, 'w');
  try {
    for (let written = 0; written < size; written += STEP) await target.write(cipher.update(zeros));
  } finally {
    await target.close();
  }
}

/** A blob: `size` bytes of the file from `offset`, with a beginning of its own. */
async function view(base, name, offset, size) {
  const head = Buffer.alloc(HEAD, `${name}\n`);
  const hash = createHash('sha256').update(head);
  const buffer = Buffer.allocUnsafe(STEP);
  for (let position = HEAD; position < size;) {
    const wanted = Math.min(STEP, size - position);
    const { bytesRead } = await base.read(buffer, 0, wanted, offset + position);
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  return { encoded: hash.digest('hex'), size, offset, head: head.toString('base64') };
}
