import type { Attributes, InodeNumber } from './file-system.js';
import { type Node, RESTORE_MARKER_BYTES } from './nodes.js';

/**
 * Modification time of everything whose content never changes under its name, in ms: the epoch. A
 * blob's true time would cost a request and is of no use: its name says what it contains.
 */
export const FIXED_MTIME = 0;

const FILE_PERMISSIONS = 0o444;
const DIRECTORY_PERMISSIONS = 0o555;

/** `stat` of a node; never a request. `nlink` is that of a blob. */
export function attributesOf(node: Node, ino: InodeNumber, nlink: number): Attributes {
  switch (node.kind) {
    case 'directory':
    case 'blobs':
    case 'algorithm':
      return {
        ino,
        kind: 'directory',
        size: 0,
        permissions: DIRECTORY_PERMISSIONS,
        // 1 tells find(1) and others that the count of subdirectories is not kept.
        nlink: 1,
        mtime: FIXED_MTIME,
      };
    case 'blob':
      return file(ino, node.blob.size, FIXED_MTIME, nlink);
    case 'index':
      return file(ino, node.snapshot.bytes.byteLength, node.snapshot.mtime);
    case 'oci-layout':
      return file(ino, node.size, node.mtime);
    case 'restore-marker':
      return file(ino, RESTORE_MARKER_BYTES.byteLength, FIXED_MTIME);
  }
}

function file(ino: InodeNumber, size: number, mtime: number, nlink = 1): Attributes {
  return { ino, kind: 'file', size, permissions: FILE_PERMISSIONS, nlink, mtime };
}
