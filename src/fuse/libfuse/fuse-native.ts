import { createRequire } from 'node:module';
import { dirname } from 'node:path';

import { MountError } from '../transport.js';
import type { Stat, StatFs } from './stat.js';

/**
 * The npm package fuse-native 2.2.6, as far as we use it: read from its `index.js` and
 * `fuse-native.c` (it has no types, and had no release since 2020). We take its table of handlers
 * and its native half; its own way to mount and unmount has traps that `NativeSession` avoids.
 */

/** 0, or a negated errno; for `read` the count of bytes that were put into the buffer. */
type Result = number;

/** The operations that we implement; what is missing here answers ENOSYS. */
export interface FuseOperations {
  getattr(path: string, done: (result: Result, stat?: Stat) => void): void;
  fgetattr(path: string, handle: number, done: (result: Result, stat?: Stat) => void): void;
  readdir(
    path: string,
    done: (result: Result, names?: readonly string[], stats?: readonly Stat[]) => void,
  ): void;
  open(path: string, flags: number, done: (result: Result, handle?: number) => void): void;
  read(
    path: string,
    handle: number,
    buffer: Buffer,
    length: number,
    offset: number,
    done: (result: Result) => void,
  ): void;
  release(path: string, handle: number, done: (result: Result) => void): void;
  statfs(path: string, done: (result: Result, stats?: StatFs) => void): void;
}

/** An instance of the class that the package exports; the members with `_` are its private ones. */
export interface FuseNative {
  readonly _handlers: unknown[];
  _getImplementedArray(): Uint32Array;
  /** Answers `fgetattr` through `getattr`, without the handle, unless replaced. */
  _op_fgetattr: (
    signal: (result: Result, stat?: Uint32Array) => void,
    path: string,
    handle: number,
  ) => void;
}

type FuseNativeConstructor = new (
  mountpoint: string,
  operations: FuseOperations & { init: (done: (result: Result) => void) => void },
  options: { timeout: false },
) => FuseNative;

/** The native half. */
export interface FuseBinding {
  /** Size of the structure behind `thread`, in bytes. */
  readonly sizeof_fuse_thread_t: number;
  /**
   * Mount, then serve on threads of libfuse. Takes at most 1023 bytes of mountpoint and of options
   * and cuts what is longer.
   * @throws Error "fuse failed"; libfuse writes the reason to standard error
   */
  fuse_native_mount(
    mountpoint: string,
    options: string,
    thread: Buffer,
    context: FuseNative,
    /** Called for each new thread of libfuse; the memory must stay for as long as the session. */
    malloc: (size: number) => Buffer,
    handlers: unknown[],
    implemented: Uint32Array,
  ): void;
  /** Unmounts nothing: lets the event loop end although the session was there. */
  fuse_native_unmount(mountpoint: string, thread: Buffer): void;
}

export interface FuseNativeLibrary {
  readonly Fuse: FuseNativeConstructor;
  readonly binding: FuseBinding;
}

/**
 * Load fuse-native and its native half.
 * @throws MountError which says what is missing and how to get it
 */
export function loadFuseNative(): FuseNativeLibrary {
  const require = createRequire(import.meta.url);
  try {
    const main = require.resolve('fuse-native');
    const Fuse = require('fuse-native') as FuseNativeConstructor;
    // The very object that index.js loaded: Node loads a native module once.
    const load = createRequire(main)('node-gyp-build') as (directory: string) => FuseBinding;
    return { Fuse, binding: load(dirname(main)) };
  } catch (error) {
    throw new MountError(explainLoadFailure(error), { cause: error });
  }
}

/** A sentence or two on why fuse-native did not load. Exported for its test. */
export function explainLoadFailure(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'MODULE_NOT_FOUND') {
    return 'The npm package fuse-native, which the transport "libfuse" needs, is not installed; install it with: npm install fuse-native@2';
  }
  if (message.includes('No native build was found')) {
    return `The npm package fuse-native has no build for ${process.platform} on ${process.arch} (it comes built for linux x64 only), so the transport "libfuse" cannot be used on this machine.`;
  }
  if (message.includes('libfuse.so.2')) {
    return 'The library libfuse.so.2, which the transport "libfuse" needs, is not installed; install it with: apt-get install libfuse2 (on other systems the package is called fuse-libs or fuse2)';
  }
  return `The npm package fuse-native could not be loaded: ${message}`;
}
