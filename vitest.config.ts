import { defineConfig } from 'vitest/config';

/**
 * Fast tests first: `unit` needs nothing but Node; the other projects run real servers, real FUSE
 * mounts and real tools, one file at a time (mounts and servers are shared resources).
 */
const serial = {
  fileParallelism: false,
  testTimeout: 120_000,
  hookTimeout: 180_000,
  // Some of it depends on when processes of others get their turn. scripts/test names each test
  // that needed its second try, with what went wrong in the first.
  retry: 1,
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/lint/**/*.test.ts'],
          // Threads that the sources start run the sources too.
          execArgv: [
            '--import',
            new URL('test/support/typescript-threads.mjs', import.meta.url).href,
          ],
        },
      },
      { test: { name: 'vectors', include: ['test/vectors/**/*.test.ts'], testTimeout: 30_000 } },
      { test: { name: 'store', include: ['test/store/**/*.test.ts'], ...serial } },
      {
        test: {
          name: 'migrate',
          include: ['test/migrate/**/*.test.ts'],
          globalSetup: ['test/fault/support/radosgw-setup.ts'],
          ...serial,
          // Each file has buckets of its own, and most of them wait for a server most of the time.
          fileParallelism: true,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      { test: { name: 'mount', include: ['test/mount/**/*.test.ts'], ...serial } },
      { test: { name: 'interop', include: ['test/interop/**/*.test.ts'], ...serial } },
      {
        test: {
          name: 'fault',
          include: ['test/fault/**/*.test.ts'],
          // One S3 server for all files; it takes longer to start than most of them to run.
          globalSetup: ['test/fault/support/radosgw-setup.ts'],
          ...serial,
        },
      },
    ],
  },
});
