import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { describeTree } from '../support/describe-tree.js';
import { run } from '../support/run.js';

/** How a reader fared with one image. */
export interface Reading {
  readonly code: number;
  /** What it wrote, as text; empty where it failed. */
  readonly result: string;
  /** What it said. */
  readonly stderr: string;
}

interface Reader {
  readonly command: string;
  /** `image` is `DIRECTORY:TAG`. */
  readonly args: (image: string, output: string) => readonly string[];
  /** What it wrote below `output`, without what differs from run to run. */
  readonly result: (output: string) => Promise<string>;
}

/** The readers whose results are compared byte for byte. */
export const READERS = {
  skopeo: {
    command: 'skopeo',
    args: (image, output) => ['copy', '--all', `oci:${image}`, `dir:${output}`],
    result: (output) => describeTree(output),
  },
  umoci: {
    command: 'umoci',
    // Only root may give files away; for others umoci writes what they may write.
    args: (image, output) => [
      'unpack',
      ...(process.getuid?.() === 0 ? [] : ['--rootless']),
      '--image',
      image,
      output,
    ],
    result: async (output) => {
      const tree = await describeTree(join(output, 'rootfs'), { times: true });
      return `${tree}\n${await readFile(join(output, 'config.json'), 'utf8')}`;
    },
  },
} as const satisfies Record<string, Reader>;

export type ReaderName = keyof typeof READERS;

/** Read image `tag` of the layout in directory `layout`, with `scratch` to write to. */
export async function readImage(
  reader: ReaderName,
  layout: string,
  tag: string,
  scratch: string,
): Promise<Reading> {
  const { command, args, result } = READERS[reader];
  const output = join(scratch, 'output');
  await rm(output, { recursive: true, force: true });
  await mkdir(dirname(output), { recursive: true });
  const { code, stderr } = await run(command, args(`${layout}:${tag}`, output));
  return { code, result: code === 0 ? await result(output) : '', stderr };
}
