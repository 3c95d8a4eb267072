import { constants } from 'node:os';

import type { Body } from './requests.js';

const { EINVAL, ENOSYS, EROFS } = constants.errno;

/** Requests whose answer depends on nothing; any thread may give it. */
export type Refusable = (typeof REFUSABLE)[number];

const REFUSABLE = ['interrupt', 'destroy', 'readlink', 'mutation', 'unsupported'] as const;

/** Whether requests of this kind are answered by {@link refusal}. */
export function isRefusable(kind: Body['kind']): kind is Refusable {
  return (REFUSABLE as readonly string[]).includes(kind);
}

/**
 * The errno (0 for success) that is the answer to such a request, or undefined when there must be
 * none. ENOSYS makes the kernel do without from then on: it asks no more for xattr, access, flush,
 * fsync, lseek, and polls files as always readable.
 *
 * An INTERRUPT changes nothing: to answer the interrupted request EINTR would fail read(2) for
 * programs that merely got a signal, and every request is answered within a deadline anyway.
 */
export function refusal(kind: Refusable): number | undefined {
  switch (kind) {
    case 'interrupt':
      return undefined;
    case 'destroy':
      return 0;
    case 'readlink':
      return EINVAL;
    case 'mutation':
      return EROFS;
    case 'unsupported':
      return ENOSYS;
  }
}
