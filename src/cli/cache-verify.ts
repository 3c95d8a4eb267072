import { HasherThread } from '../blobs/disk/hasher-thread.js';
import { type CacheEntry, scanCache } from '../blobs/disk/scan.js';
import { type Verdict, verifyEntry } from '../blobs/disk/verify.js';
import { formatByteSize } from '../config/byte-size.js';
import type { Options } from '../config/options.js';
import { cacheDirectory } from './cache-directory.js';
import { EXIT, type ExitCode } from './exit-code.js';
import { ByteProgress } from './progress-bar.js';
import type { CommandContext } from './program.js';
import { Progress } from './progress.js';

/**
 * Run the command.
 * @throws UsageError, CacheDirectoryError, system errors
 */
export async function cacheVerify(
  { terminal }: CommandContext,
  options: Options,
  { json, dryRun }: { json: boolean; dryRun: boolean },
): Promise<ExitCode> {
  const root = await cacheDirectory(options);
  const entries: CacheEntry[] = [];
  for await (const entry of scanCache(root)) entries.push(entry);
  const bytes = new ByteProgress(entries.reduce((sum, entry) => sum + toRead(entry), 0));
  const line = new Progress(terminal);
  const show = () => line.show(bytes.line(terminal.columns));
  const hasher = new HasherThread();
  const found: { readonly entry: CacheEntry; readonly verdict: Verdict }[] = [];
  try {
    for (const entry of entries) {
      const hashed = (more: number) => {
        bytes.add(more);
        show();
      };
      const before = bytes.done;
      const verdict = await verifyEntry({ root, entry, hasher, repair: !dryRun, hashed });
      found.push({ entry, verdict });
      // Parts that are not there are not read, nor is what went away.
      bytes.add(Math.max(0, toRead(entry) - (bytes.done - before)));
      show();
    }
  } finally {
    line.clear();
    await hasher.close();
  }
  const bad = found.filter(({ verdict }) => verdict === 'damaged' || verdict === 'foreign');
  const right = found.filter(({ verdict }) => verdict === 'right').map(({ entry }) => entry);
  terminal.out(
    json
      ? `${JSON.stringify(report(root, right, bad, dryRun), null, 2)}\n`
      : render(right, bad, dryRun),
  );
  return bad.length > 0 ? EXIT.failed : EXIT.done;
}

interface Bad {
  readonly entry: CacheEntry;
  readonly verdict: Verdict;
}

/** Bytes that verifying a file reads, about. */
function toRead({ state, size, diskBytes }: CacheEntry): number {
  return state === 'partial' ? Math.min(size, diskBytes) : size;
}

function report(
  directory: string,
  right: readonly CacheEntry[],
  bad: readonly Bad[],
  dryRun: boolean,
) {
  return {
    directory,
    right: right.length,
    bytes: right.reduce((sum, entry) => sum + toRead(entry), 0),
    damaged: bad.map(({ entry, verdict }) => ({
      digest: entry.digest,
      state: entry.state,
      path: entry.path,
      problem: verdict,
      removed: !dryRun,
    })),
  };
}

function render(right: readonly CacheEntry[], bad: readonly Bad[], dryRun: boolean): string {
  const bytes = formatByteSize(right.reduce((sum, entry) => sum + toRead(entry), 0));
  const done = dryRun ? '' : ', removed';
  const lines = bad.map(({ entry, verdict }) => `${entry.digest}  ${WORDS[verdict]}${done}\n`);
  const files = right.length === 1 ? 'file is' : 'files are';
  return `${lines.join('')}${right.length} ${files} right (${bytes}), ${bad.length} damaged\n`;
}

const WORDS: Readonly<Record<Verdict, string>> = {
  right: 'right',
  damaged: 'damaged',
  foreign: 'no plain file, or others may write to it',
  passed: 'not checked',
};
