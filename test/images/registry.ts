import { buildCorpus } from './build.js';
import type { Corpus } from './corpus.js';
import type { LayoutName } from './layouts.js';
import { keysOf, LAYOUTS, writeKeys } from './layouts.js';

/** A registry of real images in a directory. */
export interface MadeRegistry {
  readonly directory: string;
  readonly corpus: Corpus;
  /** What `layoutfs mount` must be told about this layout. */
  readonly mountOptions: readonly string[];
}

let building: Promise<Corpus> | undefined;

/** The corpus, built once per process. */
export function corpus(): Promise<Corpus> {
  building ??= buildCorpus();
  return building;
}

/** Make a registry in `directory` (made where it does not exist) in one of the layouts. */
export async function makeRegistry(
  directory: string,
  options: { readonly layout: LayoutName },
): Promise<MadeRegistry> {
  const images = await corpus();
  await writeKeys(directory, keysOf(images, options.layout));
  return { directory, corpus: images, mountOptions: LAYOUTS[options.layout].mountOptions };
}
