import { formatByteSize } from '../config/byte-size.js';
import type { ScannedRepository } from '../registry/registry.js';
import { lsCommandLine } from './command-hint.js';
import { formatPlatform } from './image-platform.js';
import type { ListedImage } from './repository-contents.js';
import { renderTable } from './table.js';

/** A digest that the registry should have, without bytes in the store. */
export interface LostDigest {
  readonly digest: string;
  readonly repositories: readonly string[];
  /** The images of a single repository that reach it, as `name:tag` or `name@digest`. */
  readonly images?: readonly string[];
}

export interface RepositoriesListing {
  readonly source: string;
  readonly registry: string;
  readonly repositories: readonly ScannedRepository[];
  readonly shadowed: readonly string[];
  readonly incomplete: readonly string[];
  readonly lost: readonly LostDigest[];
}

export interface RepositoryListing {
  readonly source: string;
  readonly repository: string;
  readonly images: readonly ListedImage[];
  readonly malformed: number;
  readonly lost: readonly LostDigest[];
}

/** One name a line, how many there are, and what is wrong with them. */
export function renderRepositories(listing: RepositoriesListing): string {
  const names = listing.repositories.map(({ name }) => `${name === '' ? '/' : name}\n`);
  const parts = [`${names.join('')}${count(names.length, 'repository', 'repositories')}\n`];
  parts.push(
    renderSection(
      "Cannot be shown, for another repository's blobs, index.json or oci-layout is in their place",
      listing.shadowed,
    ),
    renderSection(
      'No repositories, for they lack index.json or oci-layout, though they hold blobs',
      listing.incomplete,
    ),
  );
  parts.push(
    renderLost(
      listing.lost,
      `Push again the images that need them; "${lsCommandLine(listing.source, 'REPOSITORY')}" names those`,
    ),
  );
  return parts.join('');
}

/** A table of the entries of `index.json`, and what is wrong with them. */
export function renderRepository(listing: RepositoryListing, columns?: number): string {
  const { images, malformed, lost } = listing;
  const render = (digest: (whole: string) => string) =>
    renderTable(
      [
        { title: 'TAG' },
        { title: 'DIGEST' },
        { title: 'TYPE' },
        { title: 'PLATFORM' },
        { title: 'SIZE', align: 'right' },
        ...(images.some((image) => problemOf(image) !== '') ? [{ title: 'PROBLEM' }] : []),
      ],
      images.map((image) => [
        image.tag ?? '',
        digest(image.digest),
        image.type,
        image.platforms.map(formatPlatform).join(','),
        formatByteSize(image.size),
        problemOf(image),
      ]),
    );
  const whole = render((digest) => digest);
  const fits = columns === undefined || whole.split('\n').every((line) => line.length <= columns);
  const tags = images.filter(({ tag }) => tag !== undefined).length;
  const untagged = images.length - tags;
  return [
    images.length === 0 ? '' : fits ? whole : render(shortDigest),
    `${count(tags, 'tag', 'tags')}${untagged === 0 ? '' : `, ${untagged} untagged`}\n`,
    malformed === 0
      ? ''
      : `\n${count(malformed, 'entry', 'entries')} of index.json cannot be read.\n`,
    renderLost(lost, 'Push these images again to restore them'),
  ].join('');
}

/** Why an image cannot be read, or not whole. */
function problemOf({ problem, lost = [] }: ListedImage): string {
  return problem ?? (lost.length === 0 ? '' : count(lost.length, 'blob lost', 'blobs lost'));
}

function renderLost(lost: readonly LostDigest[], advice: string): string {
  if (lost.length === 0) return '';
  const lines = lost.flatMap(({ digest, repositories, images }) => [
    digest,
    `  in ${(images ?? repositories.map((name) => name || '/')).join(', ')}`,
  ]);
  const what = lost.length === 1 ? '1 digest has' : `${lost.length} digests have`;
  return `\nLost: ${what} no bytes anywhere in this store. ${advice}:\n${indent(lines)}`;
}

const renderSection = (title: string, lines: readonly string[]) =>
  lines.length === 0 ? '' : `\n${title}:\n${indent(lines)}`;

const indent = (lines: readonly string[]) => lines.map((line) => `  ${line}\n`).join('');

const count = (number: number, one: string, several: string) =>
  `${number} ${number === 1 ? one : several}`;

/** Twelve characters, as docker shows them. */
function shortDigest(digest: string): string {
  const colon = digest.indexOf(':');
  return digest.slice(0, colon + 1 + 12);
}
