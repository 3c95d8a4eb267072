import { totalmem } from 'node:os';
import { memoryLimit } from './control-group.js';

const MIB = 1024 ** 2;

/** What part of the memory that there is. */
const SHARE = 8;

/**
 * The memory budget when none is given, in bytes: an eighth of what the control group allows, or of
 * what the machine has, from 16 to 256 MiB.
 * @param limit of the control group, in bytes
 */
export function defaultMemory(limit = memoryLimit(), total = totalmem()): number {
  const share = Math.floor(Math.min(limit, total) / SHARE / MIB) * MIB;
  return Math.min(256 * MIB, Math.max(16 * MIB, share));
}
