/**
 * Where zot keeps blobs apart from their repositories: `storage/blobs/` in the shared layout of
 * proposal #3750 (https://github.com/project-zot/zot/pull/3750), `_blobstore/blobs/` in that of
 * #4137 (https://github.com/project-zot/zot/pull/4137).
 */

/** The directory of #4137; no repository can have this name. */
export const BLOBSTORE = '_blobstore';
/** The directory of #3750, which is a possible repository name too. */
export const STORAGE = 'storage';

/** Directories with a `blobs` for all repositories, in the order in which copies are preferred. */
export const BLOB_ROOTS: readonly string[] = [BLOBSTORE, STORAGE];

/** Written by zot when a migration to or from placeholders is through; hints, never needed. */
export const MARKERS: readonly string[] = ['_restore_complete', '_global_blobstore_migrated'];

/** What earlier versions of #4137 wrote instead of the latter. */
export const OLD_MARKERS: readonly string[] = [`${BLOBSTORE}/.migrated`];
