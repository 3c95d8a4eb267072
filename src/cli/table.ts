/** One column of a {@link renderTable}. */
export interface Column {
  readonly title: string;
  /** Numbers are easier to compare when they end at one edge. */
  readonly align?: 'left' | 'right';
}

/**
 * Rows below their titles, columns two spaces apart and as wide as their widest cell; no trailing
 * spaces. Empty cells show as `-`, so that a row can be split at spaces.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [columns.map(({ title }) => title), ...rows];
  const cells = lines.map((line) => columns.map((_, position) => orDash(line[position])));
  const widths = columns.map((_, position) =>
    // Not Math.max(...): a repository may have more tags than a call may have arguments.
    cells.reduce((widest, line) => Math.max(widest, line[position]?.length ?? 0), 0),
  );
  return cells
    .map((line) => {
      const padded = line.map((cell, position) => {
        const width = widths[position] ?? 0;
        return columns[position]?.align === 'right' ? cell.padStart(width) : cell.padEnd(width);
      });
      return `${padded.join('  ').trimEnd()}\n`;
    })
    .join('');
}

const orDash = (cell: string | undefined) => (cell === undefined || cell === '' ? '-' : cell);
