import type { CatalogBlob } from '../catalog/catalog.js';
import type { IndexSnapshot } from '../catalog/index-snapshot.js';

/** What an inode stands for. */
export type Node =
  /** The root, a namespace or a repository. */
  | { readonly kind: 'directory'; readonly path: string }
  /** `blobs` of a repository. */
  | { readonly kind: 'blobs'; readonly repository: string }
  /** `blobs/<algorithm>` of a repository. */
  | { readonly kind: 'algorithm'; readonly repository: string; readonly algorithm: string }
  /** A blob; the repository is the one it was last looked up in. */
  | {
      readonly kind: 'blob';
      readonly repository: string;
      readonly scope: string;
      readonly blob: CatalogBlob;
    }
  /** One version of an `index.json`. */
  | { readonly kind: 'index'; readonly snapshot: IndexSnapshot }
  | {
      readonly kind: 'oci-layout';
      readonly repository: string;
      readonly size: number;
      readonly mtime: number;
    }
  /** `/_restore_complete`, which tells a zot that has the mount as its storage to start at once. */
  | { readonly kind: 'restore-marker' };

/** Name of the marker file; looked up by zot, never listed. */
export const RESTORE_MARKER = '_restore_complete';

/** Content of the marker file: "no placeholders remain". */
export const RESTORE_MARKER_BYTES = Buffer.from('1');

/**
 * What makes two lookups name the same inode: the path of a directory, the content of a blob
 * within what shares a pool, the path and version of an index.
 */
export function identityOf(node: Node): string {
  switch (node.kind) {
    case 'directory':
      return `directory:${node.path}`;
    case 'blobs':
      return `blobs:${node.repository}`;
    case 'algorithm':
      return `algorithm:${node.algorithm}:${node.repository}`;
    case 'blob':
      return `blob:${node.blob.digest}:${node.blob.size}:${node.scope}`;
    case 'index':
      return `index:${node.snapshot.version}:${node.snapshot.repository}`;
    case 'oci-layout':
      return `oci-layout:${node.size}:${node.mtime}:${node.repository}`;
    case 'restore-marker':
      return 'restore-marker';
  }
}
