import { describe, expect, test } from 'vitest';

import { LATEST_TRUE_MTIME, type PagesOfHandle, PageTrust } from './page-trust.js';

const PATH = '/r/blobs/sha256/x';

/** The path was opened before, and nothing good is known of its pages. */
function opened(capacity?: number): PageTrust {
  const trust = new PageTrust(capacity);
  use(trust, { open: false, end: false });
  return trust;
}

/** Open, read and release one handle; whether its open let the kernel keep its pages. */
function use(trust: PageTrust, at: { path?: string; ino?: number; open: boolean; end: boolean }) {
  const pages = trust.opened(at.path ?? PATH, at.ino ?? 7, at.open);
  trust.read(pages);
  trust.released(pages, at.end);
  return pages.keep;
}

describe('pages are kept', () => {
  test('at the first open of all: there are none', () => {
    expect(use(new PageTrust(), { open: false, end: false })).toBe(true);
  });

  test('from the second open on, when all that was delivered is verified', () => {
    const trust = opened();
    expect(use(trust, { open: true, end: true })).toBe(false);
    expect(use(trust, { open: true, end: true })).toBe(true);
    expect(use(trust, { open: true, end: true })).toBe(true);
  });

  test('after a first read in full that was verified at its end', () => {
    const trust = opened();
    expect(use(trust, { open: false, end: true })).toBe(false);
    expect(use(trust, { open: true, end: true })).toBe(true);
  });

  test('when a later handle was opened after an unverified one ended', () => {
    const trust = opened();
    const long = trust.opened(PATH, 7, true);
    trust.read(long);
    use(trust, { open: false, end: false });
    // Its open drops what the unverified one left, and it reads nothing but right bytes.
    use(trust, { open: true, end: true });
    trust.released(long, true);
    expect(trust.opened(PATH, 7, true).keep).toBe(true);
  });

  test('when a handle that was opened while they were trusted reads nothing', () => {
    const trust = opened();
    use(trust, { open: true, end: true });
    trust.released(trust.opened(PATH, 7, true), true);
    expect(trust.opened(PATH, 7, true).keep).toBe(true);
  });
});

describe('pages are dropped', () => {
  test('when the open is not verified', () => {
    const trust = opened();
    use(trust, { open: true, end: true });
    expect(trust.opened(PATH, 7, false).keep).toBe(false);
  });

  test('when the last use ended unverified', () => {
    const trust = opened();
    use(trust, { open: true, end: true });
    use(trust, { open: false, end: false });
    expect(trust.opened(PATH, 7, true).keep).toBe(false);
  });

  test('while a handle is open that may deliver unverified bytes', () => {
    const trust = opened();
    use(trust, { open: true, end: true });
    trust.opened(PATH, 7, false);
    expect(trust.opened(PATH, 7, true).keep).toBe(false);
  });

  test('when an earlier handle of the same session ended unverified, after the last drop', () => {
    const trust = opened();
    const first = trust.opened(PATH, 7, false);
    const second = trust.opened(PATH, 7, true);
    trust.read(first);
    trust.read(second);
    trust.released(first, false);
    trust.released(second, true);
    expect(trust.opened(PATH, 7, true).keep).toBe(false);
  });

  test('when the inode is another one', () => {
    const trust = opened();
    use(trust, { ino: 7, open: true, end: true });
    expect(trust.opened(PATH, 8, true).keep).toBe(false);
  });

  test('when the first open of all ended unverified', () => {
    const trust = new PageTrust();
    use(trust, { open: false, end: false });
    expect(trust.opened(PATH, 7, true).keep).toBe(false);
  });

  test('when no READ proved that the drop took place', () => {
    const trust = opened();
    use(trust, { open: false, end: false });
    trust.released(trust.opened(PATH, 7, true), true);
    expect(trust.opened(PATH, 7, true).keep).toBe(false);
  });

  test('when the path was forgotten', () => {
    const trust = opened(1);
    use(trust, { open: true, end: true });
    use(trust, { path: '/other', open: true, end: true });
    expect(trust.opened(PATH, 7, true).keep).toBe(false);
  });
});

describe('the fleeting time', () => {
  test('is answered once for each open that drops, never twice, and beyond all true ones', () => {
    const trust = opened();
    const first = trust.opened(PATH, 7, false);
    const second = trust.opened(PATH, 7, false);
    const times = [trust.fleetingMtime(first), trust.fleetingMtime(second)];
    expect(new Set(times).size).toBe(2);
    for (const time of times) expect(time).toBeGreaterThan(LATEST_TRUE_MTIME);
    expect(trust.fleetingMtime(first)).toBeUndefined();
  });

  test('is not answered once a READ came, nor when the pages may stay', () => {
    const trust = opened();
    const dropping = trust.opened(PATH, 7, true);
    trust.read(dropping);
    expect(trust.fleetingMtime(dropping)).toBeUndefined();
    trust.released(dropping, true);
    expect(trust.fleetingMtime(trust.opened(PATH, 7, true))).toBeUndefined();
  });
});

/**
 * libfuse's `open_auto_cache` and `update_stat` and the kernel's page cache, each cut into the
 * steps between which another thread may run. Random interleavings must never give a reader a page
 * that was filled with unverified bytes by a handle that was released before the reader's open.
 */
describe('no interleaving gives a reader an unverified page of former times', () => {
  interface Handle {
    readonly pages: PagesOfHandle;
    readonly right: boolean;
    readonly openedAt: number;
    releasedAt: number;
    stage: 'answered' | 'asked' | 'decided' | 'open' | 'released';
    keepCache: boolean;
    answer: number;
  }

  // One for all histories, each of which has a path of its own: making one takes a while.
  const trust = new PageTrust(10);

  /** @returns how many opens kept a page, for the test to know that the model does something */
  function play(seed: number): number {
    const random = generator(seed);
    const below = (n: number): number => Math.floor(random() * n);
    const path = `/history/${seed}`;
    const node = { cacheValid: false, mtime: 0 };
    const cache = new Map<number, Handle>();
    const handles: Handle[] = [];
    const getattrs: number[] = [];
    let kept = 0;
    const updateStat = (mtime: number): void => {
      if (mtime !== node.mtime) node.cacheValid = false;
      node.mtime = mtime;
    };
    const decide = (handle: Handle): void => {
      handle.keepCache = node.cacheValid;
      node.cacheValid = true;
      handle.stage = 'decided';
    };
    const step = (handle: Handle, now: number): void => {
      switch (handle.stage) {
        case 'answered':
          if (!node.cacheValid) {
            decide(handle);
            return;
          }
          handle.answer = trust.fleetingMtime(handle.pages) ?? 1000;
          handle.stage = 'asked';
          return;
        case 'asked':
          updateStat(handle.answer);
          decide(handle);
          return;
        case 'decided':
          if (!handle.keepCache) cache.clear();
          else if (cache.size > 0) kept += 1;
          handle.stage = 'open';
          return;
        case 'open': {
          const action = below(5);
          if (action === 0) {
            handle.stage = 'released';
            handle.releasedAt = now;
            trust.released(handle.pages, handle.right);
          } else if (action === 1) {
            // The kernel's own fgetattr, such as for lseek(SEEK_END).
            updateStat(trust.fleetingMtime(handle.pages) ?? 1000);
          } else {
            const index = below(3);
            const filler = cache.get(index);
            if (filler === undefined) {
              trust.read(handle.pages);
              cache.set(index, handle);
            } else if (!filler.right && filler.releasedAt < handle.openedAt) {
              throw new Error(`seed ${seed}: a page of former times was read at step ${now}`);
            }
          }
          return;
        }
        case 'released':
          return;
      }
    };
    for (let now = 1; now <= 120; now += 1) {
      const busy = handles.filter((handle) => handle.stage !== 'released');
      const action = below(10);
      if (action === 0 && busy.length < 4) {
        const right = below(3) > 0;
        handles.push({
          pages: trust.opened(path, 7, right && below(2) === 0),
          right,
          openedAt: now,
          releasedAt: Infinity,
          stage: 'answered',
          keepCache: false,
          answer: 0,
        });
      } else if (action === 1) {
        // A getattr of the path: the answer, and some time later libfuse's use of it.
        if (getattrs.length > 0 && below(2) === 0) updateStat(getattrs.shift() ?? 1000);
        else getattrs.push(1000);
      } else {
        const handle = busy[below(busy.length)];
        if (handle !== undefined) step(handle, now);
      }
    }
    return kept;
  }

  test('in 20,000 random histories', () => {
    let kept = 0;
    for (let seed = 1; seed <= 20_000; seed += 1) kept += play(seed);
    expect(kept).toBeGreaterThan(1000);
  });

  /** mulberry32: small, and the same on every machine. */
  function generator(seed: number): () => number {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }
});
