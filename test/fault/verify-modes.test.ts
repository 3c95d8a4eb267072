import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { sha256 } from '../images/corpus.js';
import { keysOf } from '../images/layouts.js';
import { run } from '../support/run.js';
import { blobCase } from './support/blob-case.js';
import { type FaultyStore, startFaultyStore } from './support/faulty-store.js';
import { HeldFile } from './support/held-file.js';
import { corpusOf } from './support/images.js';
import { readWhole, rightReading } from './support/whole-readers.js';

const MiB = 1024 ** 2;

/** Larger than the memory of the mounts, so that it has to be fetched again after it was hashed. */
const bad = blobCase('bad', 24 * MiB);
const good = blobCase('good', 24 * MiB);

let store: FaultyStore;

beforeAll(async () => {
  store = await startFaultyStore(
    keysOf(corpusOf({ 'team/app': [bad.image, good.image] }), 'shared'),
  );
  store.proxy.add({ kind: 'flipBit', offset: 0, bit: 3 }, { operation: 'GET', key: bad.key });
});
afterAll(() => store.stop());

describe.for(['kernel', 'libfuse'])('one bit of the first byte flipped, over %s', (transport) => {
  function mount(...words: string[]) {
    return store.mount('--transport', transport, '--memory', '16MiB', ...words);
  }

  it('--verify stream: the last read fails', async () => {
    const mounted = await mount();
    const { count, code } = await readAll(bad.pathIn(mounted.mountpoint, 'team/app'));
    expect(code).not.toBe(0);
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThan(bad.bytes.length);
    expect(bad.bytes.length - count).toBeLessThanOrEqual(MiB);
    expect((await mounted.status()).notes.join()).not.toContain('--verify');
    await mounted.unmount();
  });

  it('--verify full: the first read fails, wherever; a good blob is read as ever', async () => {
    const mounted = await mount('--verify', 'full');
    const path = bad.pathIn(mounted.mountpoint, 'team/app');
    expect(await readAll(path)).toMatchObject({ count: 0, code: 1 });
    const reader = await HeldFile.open(path);
    expect(await reader.read(20 * MiB, 1)).toBe('EIO');
    await reader.close();
    const whole = await HeldFile.open(good.pathIn(mounted.mountpoint, 'team/app'));
    expect(await whole.read(20 * MiB, 4096)).toBe(good.part(20 * MiB, 4096));
    expect(await whole.read(0, 24 * MiB)).toBe(good.part(0, 24 * MiB));
    await whole.close();
    await mounted.unmount();
  });

  it('--verify off: nobody finds out, and mount and status say so', async () => {
    const mounted = await mount('--verify', 'off');
    const wrong = Buffer.from(bad.bytes);
    wrong.writeUInt8(wrong.readUInt8(0) ^ 8, 0);
    const read = await readWhole('cat', bad.pathIn(mounted.mountpoint, 'team/app'));
    expect(read).toEqual(rightReading(sha256(wrong).slice('sha256:'.length)));
    const { notes, counters } = await mounted.status();
    expect(notes.join('\n')).toContain('Blobs are not verified (--verify off)');
    expect(counters['blobs.mismatch']).toBe(0);
    await mounted.unmount();
  });
});

/** How many bytes `dd` could read, and its exit code. */
async function readAll(path: string): Promise<{ count: number; code: number }> {
  const command = 'set -o pipefail; dd if="$1" bs=1M iflag=direct status=none | wc -c';
  const { code, stdout } = await run('bash', ['-c', command, 'bash', path]);
  return { code, count: Number(stdout) };
}
