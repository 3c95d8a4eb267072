import { presentBytes, readTrailer } from '../blobs/disk/partial-trailer.js';
import { type CacheEntry, scanCache } from '../blobs/disk/scan.js';
import { formatByteSize } from '../config/byte-size.js';
import type { Options } from '../config/options.js';
import { cacheDirectory } from './cache-directory.js';
import { EXIT, type ExitCode } from './exit-code.js';
import { formatSeconds } from './progress-bar.js';
import type { CommandContext } from './program.js';
import { renderTable } from './table.js';

/** One line of the listing. */
export interface ListedBlob {
  readonly digest: string;
  readonly state: CacheEntry['state'];
  /** Bytes of the whole blob. */
  readonly size: number;
  /** Bytes of it that are there. */
  readonly presentBytes: number;
  /** Bytes that it takes on the disk. */
  readonly diskBytes: number;
  /** ISO 8601. */
  readonly lastUsed: string;
  /** A mount or a command has it open. */
  readonly open: boolean;
}

/**
 * Run the command.
 * @throws UsageError, CacheDirectoryError, system errors
 */
export async function cacheLs(
  { terminal }: CommandContext,
  options: Options,
  { json }: { json: boolean },
): Promise<ExitCode> {
  const directory = await cacheDirectory(options);
  const entries: ListedBlob[] = [];
  for await (const entry of scanCache(directory)) entries.push(await describe(entry));
  entries.sort((one, other) => other.lastUsed.localeCompare(one.lastUsed));
  const diskBytes = entries.reduce((sum, entry) => sum + entry.diskBytes, 0);
  const maxBytes = options.cacheSize;
  terminal.out(
    json
      ? `${JSON.stringify({ directory, entries, diskBytes, maxBytes }, null, 2)}\n`
      : render(entries, diskBytes, maxBytes),
  );
  return EXIT.done;
}

async function describe(entry: CacheEntry): Promise<ListedBlob> {
  const { digest, state, size, diskBytes, lastUsed, open } = entry;
  let present = state === 'complete' ? size : 0;
  if (state === 'partial') {
    const trailer = await readTrailer(entry.path, size);
    if (typeof trailer === 'object') present = presentBytes(trailer, size);
  }
  return {
    digest,
    state,
    size,
    presentBytes: present,
    diskBytes,
    lastUsed: new Date(lastUsed).toISOString(),
    open,
  };
}

function render(entries: readonly ListedBlob[], diskBytes: number, maxBytes: number): string {
  const now = Date.now();
  const table = renderTable(
    [
      { title: 'DIGEST' },
      { title: 'SIZE', align: 'right' },
      { title: 'STATE' },
      { title: 'LAST USED' },
    ],
    entries.map((entry) => [
      entry.digest,
      formatByteSize(entry.size),
      `${stateOf(entry)}${entry.open ? ', open' : ''}`,
      `${formatAge((now - Date.parse(entry.lastUsed)) / 1000)} ago`,
    ]),
  );
  const complete = entries.filter(({ state }) => state === 'complete').length;
  const partial = entries.filter(({ state }) => state === 'partial').length;
  const counts = `${complete} complete, ${partial} partial`;
  const space = `${formatByteSize(diskBytes)} of ${formatByteSize(maxBytes)}`;
  return `${entries.length === 0 ? '' : table}${counts}, ${space}\n`;
}

function stateOf({ state, size, presentBytes: present }: ListedBlob): string {
  if (state !== 'partial') return state;
  return `partial ${size > 0 ? Math.floor((100 * present) / size) : 0} %`;
}

function formatAge(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  return days > 0 ? `${days} d` : formatSeconds(Math.floor(seconds));
}
