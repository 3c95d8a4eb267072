import { expect, it } from 'vitest';
import { renderTable } from './table.js';

it('columns are as wide as their widest cell, numbers end at one edge, empty cells are marked', () => {
  const columns = [{ title: 'TAG' }, { title: 'SIZE', align: 'right' as const }, { title: 'NOTE' }];
  const rows = [
    ['latest', '9 B', ''],
    ['', '10 MiB', 'x'],
  ];
  expect(renderTable(columns, rows)).toBe(
    ['TAG       SIZE  NOTE', 'latest     9 B  -', '-       10 MiB  x', ''].join('\n'),
  );
});

it('a table of 200,000 rows is no trouble', () => {
  const rows = Array.from({ length: 200_000 }, (_, row) => [String(row)]);
  expect(renderTable([{ title: 'ROW' }], rows).length).toBeGreaterThan(1_000_000);
});
