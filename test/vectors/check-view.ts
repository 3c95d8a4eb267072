import { expect } from 'vitest';
import type { TreeView } from '../support/tree-view.js';
import type { Expectation, RepositoryExpectation } from './row.js';
import * as vocabulary from './vocabulary.js';
import type { Content } from './vocabulary.js';

/** In which order a repository is looked at: what is known before must not change the answers. */
export type Order = 'listing first' | 'lookups first';

/** Answers the stored bytes of a repository's document. */
export type Stored = (repository: string, name: string) => Uint8Array | undefined;

/** Every content that a row may talk of, to see that repositories show theirs and no others. */
const LETTERS: readonly Content[] = Object.values(vocabulary).filter(
  (one): one is Content => typeof one === 'object' && 'digest' in one,
);

/** Compare what a mount shows with what a row says. */
export async function checkView(
  view: TreeView,
  { repositories, hidden = [], files = {}, warns = [], counters = {} }: Expectation,
  stored: Stored,
  order: Order = 'listing first',
): Promise<void> {
  if (repositories !== undefined) await checkRepositories(view, repositories, stored, order);
  for (const path of hidden) expect(await view.exists(path), `${path} is hidden`).toBe(false);
  for (const [path, wanted] of Object.entries(files)) {
    if (typeof wanted === 'string') expect(await view.outcome(path), path).toBe(wanted);
    else expect(equal(await view.read(path), wanted), `bytes of ${path}`).toBe(true);
  }
  for (const pattern of warns) expect(messages(view), String(pattern)).toMatch(pattern);
  for (const [name, count] of Object.entries(counters)) {
    expect({ [name]: view.counters.get(name as keyof typeof counters) }).toEqual({ [name]: count });
  }
  expect(view.log.filter(({ message }) => message.includes('unexpected error'))).toEqual([]);
}

async function checkRepositories(
  view: TreeView,
  repositories: Readonly<Record<string, RepositoryExpectation>>,
  stored: Stored,
  order: Order,
): Promise<void> {
  const names = Object.keys(repositories).sort();
  // The first walk visits: afterwards only what leads to a repository may be left.
  await view.repositories();
  expect(await view.repositories(), 'repositories shown').toEqual(names);
  for (const directory of await view.directories()) {
    const leads = names.some((name) => `${name}/`.startsWith(`${directory}/`));
    expect(leads, `the directory ${directory} leads to a repository`).toBe(true);
  }
  for (const [name, wanted] of Object.entries(repositories)) {
    await checkRepository(view, name, wanted, stored, order);
  }
  const lost = Object.entries(repositories).flatMap(([repository, { lost = [] }]) =>
    lost.map(({ digest }) => `${repository} ${digest}`),
  );
  const found = view.wired.blobs.lost().map(({ repository, digest }) => `${repository} ${digest}`);
  expect(found.sort(), 'lost blobs in status').toEqual(lost.sort());
  for (const one of lost) expect(lostInLog(view), 'lost blobs in the log').toContain(one);
}

async function checkRepository(
  view: TreeView,
  name: string,
  wanted: RepositoryExpectation,
  stored: Stored,
  order: Order,
): Promise<void> {
  const path = (below: string) => (name === '' ? below : `${name}/${below}`);
  expect(await view.list(name)).toEqual(
    expect.arrayContaining(['blobs', 'index.json', 'oci-layout']),
  );
  const index = wanted.index ?? stored(name, 'index.json');
  if (index === 'EIO') expect(await view.outcome(path('index.json'))).toBe('EIO');
  else expect(equal(await view.read(path('index.json')), index), 'index.json as stored').toBe(true);
  const ociLayout = wanted.ociLayout ?? stored(name, 'oci-layout');
  expect(equal(await view.read(path('oci-layout')), ociLayout), 'oci-layout as stored').toBe(true);
  if (order === 'listing first') await checkListing(view, path('blobs'), wanted, 'before');
  await checkBlobs(view, path('blobs'), wanted);
  await checkListing(view, path('blobs'), wanted, 'after');
}

/** Before anything was opened, what is absent may still be listed; afterwards it is not. */
async function checkListing(
  view: TreeView,
  path: string,
  { blobs, broken = [], lost = [], foreign = [] }: RepositoryExpectation,
  when: 'before' | 'after',
): Promise<void> {
  const certain = sizes([...blobs, ...broken]);
  const possible = when === 'before' ? sizes([...blobs, ...broken, ...lost, ...foreign]) : certain;
  const listed: Record<string, number> = {};
  const algorithms = await view.list(path);
  for (const algorithm of algorithms) {
    const entries = await view.listSizes(`${path}/${algorithm}`);
    for (const [encoded, size] of Object.entries(entries)) listed[`${algorithm}/${encoded}`] = size;
  }
  expect(listed, `${path} ${when} it was read`).toMatchObject(certain);
  expect(possible, `${path} ${when} it was read`).toMatchObject(listed);
  if (when === 'before') return;
  const used = [...blobs, ...broken].map((one) => one.path.split('/')[0] ?? '');
  expect(algorithms, 'directories of algorithms').toEqual([...new Set(['sha256', ...used])].sort());
}

async function checkBlobs(
  view: TreeView,
  path: string,
  { blobs, broken = [], lost = [], foreign = [] }: RepositoryExpectation,
): Promise<void> {
  for (const one of blobs) {
    const { size } = await view.stat(`${path}/${one.path}`);
    expect(size, `size of ${path}/${one.path}`).toBe(one.size);
    expect(equal(await view.read(`${path}/${one.path}`), one.bytes), `${path}/${one.path}`).toBe(
      true,
    );
  }
  for (const one of broken) {
    expect(await view.outcome(`${path}/${one.path}`), `${path}/${one.path}`).toBe('EIO');
  }
  for (const one of [...lost, ...foreign]) {
    expect(await view.outcome(`${path}/${one.path}`), `${path}/${one.path}`).toBe('ENOENT');
  }
  const known = new Set([...blobs, ...broken, ...lost, ...foreign].map(({ digest }) => digest));
  for (const one of LETTERS.filter(({ digest }) => !known.has(digest))) {
    expect(await view.exists(`${path}/${one.path}`), `${path}/${one.path} is not shown`).toBe(
      false,
    );
  }
}

/** Warnings about the source and lines of the log, one a line. */
export function messages(view: TreeView): string {
  const lines = view.log
    .filter(({ level }) => level === 'warn' || level === 'error')
    .map(({ message, fields }) => `${message} ${JSON.stringify(fields)}`);
  return [...view.wired.warnings, ...lines].join('\n');
}

function lostInLog(view: TreeView): string[] {
  return view.log
    .filter(
      ({ level, message }) => level === 'warn' && message.startsWith('A referenced blob is lost'),
    )
    .map(({ fields }) => `${String(fields['repository'])} ${String(fields['digest'])}`);
}

const sizes = (contents: readonly Content[]) =>
  Object.fromEntries(contents.map(({ path, size }) => [path, size]));

/** Compared by hand: a matcher prints megabytes. */
function equal(actual: Uint8Array, wanted: Uint8Array | undefined): boolean {
  return wanted !== undefined && Buffer.compare(actual, wanted) === 0;
}
