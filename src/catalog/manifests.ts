import { LRUCache } from 'lru-cache';
import type { Blobs } from '../blobs/blobs.js';
import { isBlobError } from '../blobs/errors.js';
import type { Counters } from '../observe/counters.js';
import type { Log } from '../observe/log.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import { DocumentError, parseManifest } from '../oci/document.js';
import { MAX_MANIFEST_BYTES } from '../oci/limits.js';

/** Approximate memory of one remembered descriptor, in bytes. */
const DESCRIPTOR_WEIGHT = 300;

/** So many of the manifests used last are looked at for what a reader will want next. */
const RECENT = 64;

/**
 * What manifests and nested indexes point at. They are immutable, so each is read once (verified,
 * through the blob reader, whose memory a reader of the same manifest shares) and kept parsed.
 */
export class Manifests {
  /** How long a manifest that could not be read is not worth another attempt, in ms. */
  readonly retryMs: number;
  readonly #blobs: Blobs;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #children: LRUCache<string, readonly Descriptor[]>;
  readonly #reading = new Map<string, Promise<readonly Descriptor[] | undefined>>();

  constructor(options: {
    blobs: Blobs;
    refreshMs: number;
    memoryBytes: number;
    log: Log;
    counters: Counters;
  }) {
    this.retryMs = options.refreshMs;
    this.#blobs = options.blobs;
    this.#log = options.log;
    this.#counters = options.counters;
    this.#children = new LRUCache({
      maxSize: Math.max(1, options.memoryBytes),
      sizeCalculation: (children) => DESCRIPTOR_WEIGHT * (1 + children.length),
    });
  }

  /** A closure was too deep or too large to be followed to its end. */
  reportLimit(repository: string, limit: 'depth' | 'nodes'): void {
    const reason = limit === 'depth' ? 'nested too deeply' : 'too many';
    this.#log.warn({ repository }, `What the index refers to is ${reason}; the rest is not shown.`);
  }

  /** What the manifest points at, if that needs no request. */
  peek(repository: string, manifest: Descriptor): readonly Descriptor[] | undefined {
    const known = this.#children.get(key(manifest));
    if (known) return known;
    const bytes = this.#blobs.peek({ ...manifest, repository });
    return bytes && this.#parse(repository, manifest, bytes);
  }

  /**
   * What the manifest points at. Undefined when its bytes cannot be had (absent, corrupt, of
   * another size): its children are then unknown, which the log says.
   * @throws BlobError `unavailable`: asking again may help
   */
  children(repository: string, manifest: Descriptor): Promise<readonly Descriptor[] | undefined> {
    const known = this.peek(repository, manifest);
    if (known) return Promise.resolve(known);
    const name = `${repository}|${key(manifest)}`;
    let reading = this.#reading.get(name);
    if (!reading) {
      reading = this.#read(repository, manifest).finally(() => this.#reading.delete(name));
      this.#reading.set(name, reading);
    }
    return reading;
  }

  /**
   * What comes after a layer in a manifest that was used a short while ago; after the last layer,
   * its config. Readers of an image mostly go on with it. No request.
   */
  following(layer: Digest): Descriptor | undefined {
    let looked = 0;
    // Those used last come first.
    for (const children of this.#children.values()) {
      if (looked++ === RECENT) return undefined;
      const at = children.findIndex(({ digest }) => digest === layer);
      // The config is the first of them; who reads it may want nothing else.
      if (at > 0) return children[(at + 1) % children.length];
    }
    return undefined;
  }

  async #read(
    repository: string,
    manifest: Descriptor,
  ): Promise<readonly Descriptor[] | undefined> {
    const { digest, size, mediaType } = manifest;
    if (size > MAX_MANIFEST_BYTES) {
      this.#log.warn({ repository, digest, size }, 'A manifest is too large to be followed.');
      return [];
    }
    try {
      const bytes = await this.#blobs.readAll({ repository, digest, size });
      return this.#parse(repository, manifest, bytes);
    } catch (error) {
      if (isBlobError(error, 'wrong-size')) return this.#readStored(repository, manifest);
      if (!isBlobError(error, 'absent', 'mismatch', 'unsupported')) throw error;
      this.#log.warn(
        { repository, digest, mediaType, reason: error.message },
        'A manifest cannot be read; what it refers to is not shown.',
      );
      return undefined;
    }
  }

  /** The descriptor lies about the size: its stored bytes, if they verify, still say what they say. */
  async #readStored(
    repository: string,
    manifest: Descriptor,
  ): Promise<readonly Descriptor[] | undefined> {
    const size = await this.#blobs.storedSize(repository, manifest.digest);
    if (size === undefined || size === manifest.size) return undefined;
    return this.#read(repository, { ...manifest, size });
  }

  #parse(
    repository: string,
    manifest: Descriptor,
    bytes: Uint8Array,
  ): readonly Descriptor[] | undefined {
    this.#counters.increment('catalog.manifestRead');
    try {
      const { children, ignored } = parseManifest(bytes);
      if (ignored > 0) {
        this.#log.warn(
          { repository, digest: manifest.digest, ignored },
          'A manifest has malformed descriptors; they are left out.',
        );
      }
      const kept = children.map(slim);
      this.#children.set(key(manifest), kept);
      return kept;
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      this.#counters.increment('catalog.manifestBad');
      // Without a media type it was only a guess that this is a manifest.
      if (manifest.mediaType !== '') {
        this.#log.warn(
          { repository, digest: manifest.digest, reason: error.message },
          'A manifest cannot be parsed; what it refers to is not shown.',
        );
      }
      this.#children.set(key(manifest), []);
      return [];
    }
  }
}

function key(manifest: Descriptor): string {
  return `${manifest.digest}/${manifest.size}`;
}

/** Only what membership needs: annotations of large indexes would fill the memory. */
function slim({ digest, size, mediaType, foreign }: Descriptor): Descriptor {
  return { digest, size, mediaType, ...(foreign && { foreign }) };
}
