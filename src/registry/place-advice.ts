import type { ObjectStore } from '../store/object-store.js';
import { toPrefix } from './root-prefix.js';

/** A directory has no bucket, and no permissions of S3. */
const isDirectory = ({ name }: Pick<ObjectStore, 'name'>): boolean => name.startsWith('file:');

/** What to check where nothing was found: completes a sentence. */
export function checkPlace(store: Pick<ObjectStore, 'name'>): string {
  return isDirectory(store) ? 'check the directory' : 'check the bucket and the prefix';
}

/** What to do where listing is refused: begins a sentence. */
export function allowListing(store: Pick<ObjectStore, 'name'>): string {
  return isDirectory(store) ? 'Allow this user to read the directory' : 'Allow s3:ListBucket';
}

/** The source that names `prefix` of a store whose own name may end in `?endpoint=…`. */
export function sourceAt({ name }: Pick<ObjectStore, 'name'>, prefix: string): string {
  const query = name.indexOf('?');
  const [place, parameters] = query < 0 ? [name, ''] : [name.slice(0, query), name.slice(query)];
  return `${toPrefix(place)}${prefix.replace(/\/+$/, '')}${parameters}`;
}
