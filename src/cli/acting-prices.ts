import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { UsageError } from '../config/usage-error.js';
import { parsePrices, pricesOf, type Prices } from '../migrate/plan/prices.js';
import type { ActingOptions } from './acting-options.js';

/** The prices of a file, or those of the table. @throws UsageError */
export async function pricesFor(storeName: string, { prices }: ActingOptions): Promise<Prices> {
  if (prices === undefined) return pricesOf(storeName);
  try {
    return parsePrices(parse(await readFile(prices, 'utf8')));
  } catch (error) {
    throw new UsageError(`--prices ${prices}: ${(error as Error).message}`, { cause: error });
  }
}
