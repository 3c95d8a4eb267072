import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';

/**
 * Where tests put buckets that are written thousands of times: every write waits for the disk, unless
 * there is none.
 */
export const QUICK_DIRECTORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
