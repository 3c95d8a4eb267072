import type { ListObjectsV2CommandOutput, _Object } from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import type { ListPage, ObjectInfo } from '../object-store.js';

/**
 * A ListObjectsV2 answer as a page. Keys that are not UTF-8 cannot be named in a request and are
 * left out.
 * @throws StoreError when the answer is not a listing, or its token leads nowhere.
 */
export function readPage(
  output: ListObjectsV2CommandOutput,
  token: string | undefined,
  what: string,
): ListPage {
  // Both are always sent by S3: without them this was some web page, and no empty bucket.
  if (output.Name === undefined && output.IsTruncated === undefined) {
    throw new StoreError(
      'Failed',
      `Cannot ${what}: the answer is not that of an S3 server: check the address in "endpoint".`,
    );
  }
  const decode = output.EncodingType === 'url' ? decodeKey : (key: string) => key;
  const next = output.IsTruncated === true ? output.NextContinuationToken : undefined;
  if (output.IsTruncated === true && (next === undefined || next === token)) {
    throw new StoreError(
      'Failed',
      `Cannot ${what}: the server says that the listing goes on but does not say where.`,
    );
  }
  return {
    objects: (output.Contents ?? []).flatMap((object) => readObject(object, decode)),
    prefixes: (output.CommonPrefixes ?? []).flatMap(({ Prefix }) => {
      const prefix = Prefix === undefined ? undefined : decode(Prefix);
      return prefix === undefined ? [] : [prefix];
    }),
    ...(next !== undefined && { next }),
  };
}

function readObject(
  { Key, Size, ETag, LastModified, StorageClass }: _Object,
  decode: (key: string) => string | undefined,
): ObjectInfo[] {
  const key = Key === undefined ? undefined : decode(Key);
  if (key === undefined || Size === undefined) return [];
  return [
    {
      key,
      size: Size,
      ...(ETag !== undefined && { etag: ETag }),
      ...(LastModified !== undefined && { lastModified: LastModified.getTime() }),
      ...(StorageClass !== undefined && { storageClass: StorageClass }),
    },
  ];
}

/** `encoding-type=url` is form encoding: a space may be sent as `+`, a plus sign never is. */
function decodeKey(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded.replaceAll('+', '%20'));
  } catch {
    return undefined;
  }
}
