import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { StoredDescriptor } from './corpus.js';
import { REF_NAME } from './corpus.js';

const run = promisify(execFile);

/** One time for everything, so that the same tools make the same digests on every run. */
const CREATED = '2024-01-01T00:00:00Z';

/** A file of a layer: its text, or where to copy it from, or what it links to. */
export type LayerFile =
  | { readonly text: string; readonly mode?: number }
  | { readonly from: string; readonly mode?: number }
  | { readonly link: string };

/** A layer: paths (relative to `/`) and what is there. */
export type Layer = Readonly<Record<string, LayerFile>>;

export interface ImageConfig {
  readonly cmd?: readonly string[];
  readonly architecture?: string;
}

/** An OCI image layout that umoci builds images in. */
export class UmociLayout {
  readonly path: string;
  readonly #scratch: string;

  private constructor(scratch: string) {
    this.#scratch = scratch;
    this.path = join(scratch, 'layout');
  }

  /** Start an empty layout below `scratch`, an empty directory that the caller removes. */
  static async create(scratch: string): Promise<UmociLayout> {
    const layout = new UmociLayout(scratch);
    await run('umoci', ['init', '--layout', layout.path]);
    return layout;
  }

  /**
   * Add an image: the layers of `base` (or none), then `layers`, each packed by tar and added and
   * compressed by umoci.
   */
  async build(
    tag: string,
    base: string | undefined,
    layers: readonly Layer[],
    config: ImageConfig = {},
  ): Promise<void> {
    const image = `${this.path}:${tag}`;
    if (base === undefined) await run('umoci', ['new', '--image', image]);
    else await run('umoci', ['tag', '--image', `${this.path}:${base}`, tag]);
    for (const [position, layer] of layers.entries()) {
      const archive = await this.#pack(`${tag}-${position}`, layer);
      const history = ['--history.created', CREATED, '--history.created_by', `layer ${position}`];
      await run('umoci', ['raw', 'add-layer', '--image', image, ...history, archive]);
    }
    const { architecture = 'amd64', cmd = [] } = config;
    const options = ['--created', CREATED, '--architecture', architecture, '--os', 'linux'];
    if (cmd.length > 0) options.push('--clear', 'config.cmd');
    options.push(...cmd.flatMap((word) => ['--config.cmd', word]));
    await run('umoci', ['config', '--no-history', '--image', image, ...options]);
  }

  /** The manifest descriptor of a tag, without its annotations. */
  async descriptor(tag: string): Promise<StoredDescriptor> {
    const text = await readFile(join(this.path, 'index.json'), 'utf8');
    const { manifests } = JSON.parse(text) as { manifests: StoredDescriptor[] };
    const found = manifests.find(({ annotations }) => annotations?.[REF_NAME] === tag);
    if (found === undefined) throw new Error(`umoci made no image ${tag}.`);
    const { mediaType, digest, size } = found;
    return { mediaType, digest, size };
  }

  /** Pack a layer with fixed order, owner and time; answers the archive's path. */
  async #pack(name: string, layer: Layer): Promise<string> {
    const tree = join(this.#scratch, name);
    await mkdir(tree);
    for (const [path, file] of Object.entries(layer)) await place(join(tree, path), file);
    const archive = `${tree}.tar`;
    const fixed = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--format=ustar'];
    await run('tar', [...fixed, `--mtime=${CREATED}`, '-C', tree, '-cf', archive, '.']);
    return archive;
  }
}

async function place(path: string, file: LayerFile): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true, mode: 0o755 });
  if ('link' in file) {
    await symlink(file.link, path);
    return;
  }
  if ('text' in file) await writeFile(path, file.text);
  else await copyFile(file.from, path);
  await chmod(path, file.mode ?? 0o644);
}
