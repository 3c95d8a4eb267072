import type { Row } from './row.js';
import { basicRows } from './rows/basic.js';
import { placeholderRows } from './rows/placeholders.js';
import { documentRows } from './rows/documents.js';
import { nameRows } from './rows/names.js';
import { sharedRows } from './rows/shared.js';
import { blobstoreRows } from './rows/blobstore.js';

/**
 * The vectors of the table of layouts, by theme, with variants of our own (rules G1 to G9).
 *
 * | vectors | where |
 * |---|---|
 * | 1, 5, 6, 21, 26, 32, 36, 56, 57 | `rows/basic.ts` |
 * | 2, 3, 4, 30 | `rows/placeholders.ts` |
 * | 9, 10, 12 | `rows/shared.ts` |
 * | 42, 43, 45, 46 | `rows/blobstore.ts` |
 *
 * Not here:
 *
 * | vectors | why |
 * |---|---|
 * | 47, 48, 51, 52, 53, 54 | layout (d), the distribution project's, is not read yet: a source of that kind is refused |
 * | 62 | `migrate` and `rollback` do not exist yet |
 * | 7, 11, 13, 17, 24, 27, 28, 39, 44, 49, 50, 55 | the table has no such rows |
 */
export const ROWS: readonly Row[] = [
  ...basicRows,
  ...placeholderRows,
  ...sharedRows,
  ...blobstoreRows,
  ...nameRows,
  ...documentRows,
];
