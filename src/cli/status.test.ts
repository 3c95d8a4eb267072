import { describe, expect, it } from 'vitest';
import { Counters } from '../observe/counters.js';
import type { MountStatus } from '../daemon/status.js';
import { renderMounts, renderStatus } from './status.js';

const healthy: MountStatus = {
  version: '1.2.3',
  pid: 42,
  mountpoint: '/mnt/a',
  source: 's3://bucket',
  registry: 'a zot registry',
  transport: 'libfuse',
  startedAt: '2026-01-01T00:00:00.000Z',
  uptimeSeconds: 93_784,
  state: 'ready',
  store: { healthy: true },
  staleIndexes: [],
  unresolved: [],
  notes: [],
  log: '/var/lib/layoutfs/log/mnt-a.log',
  tree: { inodes: 7, openFiles: 1 },
  requests: {},
  memory: { rssBytes: 138 * 1024 ** 2, heapBytes: 1, budgetBytes: 64 * 1024 ** 2 },
  counters: new Counters().snapshot(),
};

const ailing: MountStatus = {
  ...healthy,
  mountpoint: '/mnt/b',
  store: {
    healthy: false,
    lastError: { at: '2026-01-02T00:00:00.000Z', code: 'Timeout', message: 'It took too long.' },
  },
  staleIndexes: ['team/app'],
  unresolved: [{ repository: 'team/app', digest: 'sha256:abc' }],
  notes: ['LIST is refused.'],
  requests: { lookup: 3 },
  counters: { ...healthy.counters, 'store.get': 12 },
};

describe('all mounts', () => {
  it('have a line each, with what is wrong', () => {
    expect(renderMounts([])).toBe('No mounts of this user.\n');
    expect(renderMounts([healthy, ailing])).toBe(
      '/mnt/a  s3://bucket  ready, pid 42\n' +
        '/mnt/b  s3://bucket  ready, store failing, 1 stale, 1 lost, pid 42\n',
    );
    expect(renderMounts([{ ...healthy, state: 'detached' }], ['/mnt/c is stale.'])).toBe(
      '/mnt/a  s3://bucket  detached, ends with its last reader, pid 42\n/mnt/c is stale.\n',
    );
  });
});

describe('one mount', () => {
  it('that is well has no sections about trouble', () => {
    expect(renderStatus(healthy)).toBe(
      [
        'mountpoint   /mnt/a',
        'source       s3://bucket',
        'registry     a zot registry',
        'state        ready for 1 d 2 h, pid 42, layoutfs 1.2.3',
        'transport    libfuse',
        'store        answers',
        'kernel       holds 7 inodes, 1 open file',
        'memory       resident 138 MiB (blob and document budget 64 MiB)',
        'log          /var/lib/layoutfs/log/mnt-a.log',
        '',
      ].join('\n'),
    );
  });

  it('that has lost much says how much, and shows the first of it', () => {
    const unresolved = Array.from({ length: 24 }, (_, number) => ({
      repository: `r${number}`,
      digest: `sha256:${number % 7}`,
    }));
    const text = renderStatus({ ...healthy, unresolved });
    expect(text).toContain('\n24 lost blobs (7 digests) found so far; "layoutfs ls ');
    expect(text).toContain('  r19 sha256:5\n  … and 4 more: --json has them all\n');
  });

  it('that is detached says what it waits for', () => {
    expect(renderStatus({ ...healthy, state: 'detached' })).toMatch(
      /^state +detached, ends with its last reader; up for 1 d 2 h, pid 42/m,
    );
  });

  it('that is not says what is wrong, and what was counted', () => {
    const text = renderStatus(ailing);
    expect(text).toContain('store        fails\n');
    expect(text).toContain('last error   2026-01-02T00:00:00.000Z It took too long.\n');
    expect(text).toContain('\nNotes:\n  LIST is refused.\n');
    expect(text).toContain('cannot be revalidated:\n  team/app\n');
    expect(text).toContain(
      '\n1 lost blob found so far; "layoutfs ls s3://bucket" looks for more:\n  team/app sha256:abc\n',
    );
    expect(text).toMatch(/\nRequests of the kernel:\n {2}lookup +3\n/);
    expect(text).toMatch(/\nCounters:\n {2}store\.get +12\n$/);
  });
});
