import { run } from '../../support/run.js';

/** Programs that read a whole file; each prints the SHA-256 of what it got. */
export const WHOLE_READERS = {
  cat: 'cat "$1" | sha256sum',
  'dd bs=1M': 'dd if="$1" bs=1M status=none | sha256sum',
  'dd iflag=direct': 'dd if="$1" bs=1M iflag=direct status=none | sha256sum',
  sha256sum: 'sha256sum <"$1"',
  // A page that cannot be had is a SIGBUS to who maps it.
  mmap: `python3 -c '
import hashlib, mmap, sys
with open(sys.argv[1], "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
    print(hashlib.sha256(mapped).hexdigest())' "$1"`,
} as const;

export type WholeReader = keyof typeof WHOLE_READERS;

/** How reading a whole file ended. */
export type Reading =
  | { readonly ok: true; readonly sha256: string }
  /** `error` is the errno's name, or what the program said. */
  | { readonly ok: false; readonly error: string };

/** The reading of exactly these bytes. */
export function rightReading(hex: string): Reading {
  return { ok: true, sha256: hex };
}

/** The reading that ends with an I/O error. */
export const EIO: Reading = { ok: false, error: 'EIO' };

/** The reading of what is not there. */
export const ENOENT: Reading = { ok: false, error: 'ENOENT' };

/**
 * Read the file at `path` with one of the programs.
 * @param timeout milliseconds; a reader that takes longer fails the test
 */
export async function readWhole(
  reader: WholeReader,
  path: string,
  timeout = 30_000,
): Promise<Reading> {
  // The last command is no exec, so that bash tells a signal's end by an exit code.
  const script = `set -o pipefail; ${WHOLE_READERS[reader]}; code=$?; exit $code`;
  const { code, stdout, stderr } = await run('bash', ['-c', script, 'bash', path], { timeout });
  if (code === 0) return { ok: true, sha256: stdout.slice(0, 64) };
  return { ok: false, error: errnoIn(stderr, code) };
}

function errnoIn(stderr: string, code: number): string {
  if (stderr.includes('Input/output error') || code === 128 + 7) return 'EIO';
  if (stderr.includes('No such file or directory')) return 'ENOENT';
  if (stderr.includes('Permission denied')) return 'EACCES';
  if (stderr.includes('Is a directory')) return 'EISDIR';
  if (stderr.includes('Transport endpoint is not connected')) return 'ENOTCONN';
  return `exit code ${code}: ${stderr}`;
}
