import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where control groups are told about. */
export interface ControlGroupFiles {
  /** The groups of this process, one a line: `id:controllers:path`; cgroups(7). */
  readonly own: string;
  /** Where the hierarchies are mounted. */
  readonly mounts: string;
}

const FILES: ControlGroupFiles = { own: '/proc/self/cgroup', mounts: '/sys/fs/cgroup' };

/**
 * What the control groups of this process, and those that they lie in, let it have of memory, in
 * bytes; Infinity where nothing limits it. `process.constrainedMemory()` of Node 20 does not look
 * at the groups around its own.
 */
export function memoryLimit({ own, mounts }: ControlGroupFiles = FILES): number {
  const limits: number[] = [];
  for (const line of (read(own) ?? '').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    for (const group of upwards(path)) {
      if (controllers === '') {
        limits.push(limitIn(join(mounts, group, 'memory.max')));
        limits.push(limitIn(join(mounts, group, 'memory.high')));
      } else if (controllers?.split(',').includes('memory')) {
        limits.push(limitIn(join(mounts, 'memory', group, 'memory.limit_in_bytes')));
      }
    }
  }
  return Math.min(...limits, Infinity);
}

/** A group and all around it. In a container the path may be the host's: the root is there always. */
function* upwards(path: string): Generator<string, void, undefined> {
  for (let group = path; ; group = dirname(group)) {
    yield group;
    if (group === '/') return;
  }
}

/** Infinity where there is no such file, or `max` in it. */
function limitIn(file: string): number {
  const text = read(file)?.trim() ?? '';
  return /^\d+$/.test(text) ? Number(text) : Infinity;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
