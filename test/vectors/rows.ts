import type { Row } from './row.js';
import { basicRows } from './rows/basic.js';
import { placeholderRows } from './rows/placeholders.js';
import { changeRows } from './rows/change.js';
import { closureRows } from './rows/closures.js';
import { copyRows } from './rows/copies.js';
import { documentRows } from './rows/documents.js';
import { flipRows } from './rows/flips.js';
import { keyRows } from './rows/keys.js';
import { nameRows } from './rows/names.js';
import { storeRows } from './rows/stores.js';
import { sharedRows } from './rows/shared.js';
import { blobstoreRows } from './rows/blobstore.js';

/**
 * The vectors of the table of layouts, by theme, with variants of our own (rules G1 to G9).
 *
 * | vectors | where |
 * |---|---|
 * | 1, 5, 6, 21, 26, 32, 36, 56, 57 | `rows/basic.ts` |
 * | 2, 3, 4, 19, 30 | `rows/placeholders.ts` |
 * | 9, 10, 12 | `rows/shared.ts` |
 * | 42, 43, 45, 46 | `rows/blobstore.ts` |
 * | 14, 15, 16, 18, 19, G1, G7 | `rows/names.ts` |
 * | 29, 37, 38, G1, G5, G6, G9 | `rows/keys.ts` |
 * | 20, 22, 23, 31, 33, 34, 35 | `rows/documents.ts` |
 * | G4, G8 | `rows/closures.ts` |
 * | G3, G4 | `rows/copies.ts` |
 * | 40, 41, 60, 61 | `rows/stores.ts` |
 * | 8 | `rows/flips.ts` |
 * | 22, 58, 59 | `rows/change.ts` |
 * | 25 | `huge-documents.test.ts` |
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
  ...keyRows,
  ...documentRows,
  ...closureRows,
  ...copyRows,
  ...storeRows,
  ...changeRows,
  ...flipRows,
];
