/**
 * One option has one name, written in four ways: `sharedBlobDir` in code, `--shared-blob-dir` on
 * the command line, `LAYOUTFS_SHARED_BLOB_DIR` in the environment and `shared-blob-dir` in a
 * configuration file or after `-o` (where `shared_blob_dir` will do as well).
 */

/** `sharedBlobDir` → `shared-blob-dir`. */
export function optionKey(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `sharedBlobDir` → `LAYOUTFS_SHARED_BLOB_DIR`. */
export function environmentName(name: string): string {
  return `LAYOUTFS_${optionKey(name).replaceAll('-', '_').toUpperCase()}`;
}

/** The name among `known` that `written` is most likely a slip of the pen for, if any is near. */
export function nearestName(written: string, known: readonly string[]): string | undefined {
  let best: { name: string; distance: number } | undefined;
  for (const name of known) {
    const distance = editDistance(written, name);
    if (distance <= Math.max(1, name.length * 0.4) && distance < (best?.distance ?? Infinity)) {
      best = { name, distance };
    }
  }
  return best?.name;
}

/** `. Did you mean "x"?`, or just the full stop when nothing is near. */
export function suggestion(written: string, known: readonly string[]): string {
  const near = nearestName(written, known);
  return near === undefined ? '.' : `. Did you mean "${near}"?`;
}

/** Levenshtein's distance, row by row. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1;
      current.push(
        Math.min(
          (current[column - 1] ?? 0) + 1,
          (previous[column] ?? 0) + 1,
          (previous[column - 1] ?? 0) + change,
        ),
      );
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
