import { z } from 'zod';
import type { Requests } from '../run/requests.js';

/** What a provider charges, in US dollars. */
const prices = z.object({
  /** Who charges it, where and since when; for people. */
  name: z.string(),
  /** For a thousand PUT, COPY, POST or LIST requests. */
  writesPerThousand: z.number().nonnegative(),
  /** For a thousand GET or HEAD requests. */
  readsPerThousand: z.number().nonnegative(),
  /** For a thousand DELETE requests. */
  deletesPerThousand: z.number().nonnegative().default(0),
  /** For a gigabyte (10⁹ bytes) kept for a month. */
  storagePerGigabyteMonth: z.number().nonnegative(),
  /** For a gigabyte that leaves the provider; nothing is charged within a region. */
  egressPerGigabyte: z.number().nonnegative().default(0),
});
export type Prices = z.output<typeof prices>;

/** Standard storage classes, list prices without free tiers, as published in November 2026. */
const TABLE: Readonly<Record<'aws' | 'gcs' | 'r2' | 'own', Prices>> = {
  // https://aws.amazon.com/s3/pricing/
  aws: {
    name: 'Amazon S3 Standard, us-east-1, list prices of November 2026',
    writesPerThousand: 0.005,
    readsPerThousand: 0.0004,
    deletesPerThousand: 0,
    storagePerGigabyteMonth: 0.023,
    egressPerGigabyte: 0.09,
  },
  // https://cloud.google.com/storage/pricing
  gcs: {
    name: 'Google Cloud Storage Standard, one region, list prices of November 2026',
    writesPerThousand: 0.005,
    readsPerThousand: 0.0004,
    deletesPerThousand: 0,
    storagePerGigabyteMonth: 0.02,
    egressPerGigabyte: 0.12,
  },
  // https://developers.cloudflare.com/r2/pricing/
  r2: {
    name: 'Cloudflare R2 Standard, list prices of November 2026',
    writesPerThousand: 0.0045,
    readsPerThousand: 0.00036,
    deletesPerThousand: 0,
    storagePerGigabyteMonth: 0.015,
    egressPerGigabyte: 0,
  },
  own: {
    name: 'a server of your own: no request is charged',
    writesPerThousand: 0,
    readsPerThousand: 0,
    deletesPerThousand: 0,
    storagePerGigabyteMonth: 0,
    egressPerGigabyte: 0,
  },
};

/** The prices for a store, by the name that {@link ObjectStore.name} gives it. */
export function pricesOf(storeName: string): Prices {
  if (!storeName.startsWith('s3://')) return TABLE.own;
  const endpoint = /[?&]endpoint=([^&]*)/.exec(storeName)?.[1];
  if (endpoint === undefined || /\.amazonaws\.com\b/.test(endpoint)) return TABLE.aws;
  if (/\bstorage\.googleapis\.com\b/.test(endpoint)) return TABLE.gcs;
  if (/\.r2\.cloudflarestorage\.com\b/.test(endpoint)) return TABLE.r2;
  return TABLE.own;
}

/**
 * Prices that a user wrote down, as parsed from JSON or YAML.
 * @throws Error that names the field which is wrong
 */
export function parsePrices(value: unknown): Prices {
  const parsed = prices.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const example = JSON.stringify({ ...TABLE.aws, name: 'my provider' });
  throw new Error(
    `These are no prices: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}. ` +
      `Write them as in ${example}`,
  );
}

/** What requests cost, in dollars. Bytes are not charged within a region. */
export function costOf(requests: Requests, prices: Prices): number {
  const { list, put, get, delete: deletes } = requests;
  return (
    ((list + put) * prices.writesPerThousand +
      get * prices.readsPerThousand +
      deletes * prices.deletesPerThousand) /
    1000
  );
}

/** What keeping so many bytes costs each month, in dollars. */
export function monthly(bytes: number, prices: Prices): number {
  return (bytes / 1e9) * prices.storagePerGigabyteMonth;
}
