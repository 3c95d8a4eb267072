import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { keysOf } from '../images/layouts.js';
import type { Fault } from '../servers/fault-proxy.js';
import type { MountedLayoutfs } from '../support/mount.js';
import { run, runOk } from '../support/run.js';
import { blobCase } from './support/blob-case.js';
import { type FaultyStore, startFaultyStore } from './support/faulty-store.js';
import { HeldFile } from './support/held-file.js';
import { corpusOf } from './support/images.js';
import { EIO, readWhole, rightReading } from './support/whole-readers.js';

const MiB = 1024 ** 2;
const REFRESH_MS = 500;
const REQUEST_MS = 700;
const READ_MS = 1500;
/**
 * What a program may wait for one open and one read. Where a read-ahead failed the kernel asks once
 * more for the page that is wanted, so a read(2) may be two requests. The rest is a busy machine.
 */
const BOUND_MS = 3 * READ_MS + 4000;

const HANGS: readonly { readonly name: string; readonly fault: Fault }[] = [
  { name: 'answers nothing', fault: { kind: 'hangBeforeHead' } },
  { name: 'stops in the middle of a body', fault: { kind: 'hangMidBody', after: 100_000 } },
  { name: 'closes every connection', fault: { kind: 'drop' } },
  { name: 'answers 503', fault: { kind: 'status', status: 503, code: 'SlowDown' } },
  { name: 'answers 500', fault: { kind: 'status', status: 500, code: 'InternalError' } },
];
const hangs = HANGS.map((hang) => ({
  ...hang,
  blob: blobCase(hang.name, 12 * MiB),
  halfRead: blobCase(`${hang.name}, half read`, 12 * MiB),
}));
const BLOBS = {
  known: blobCase('known', 300_000),
  storm: blobCase('storm', 20 * MiB),
  killed: blobCase('killed', 20 * MiB),
  outage: blobCase('outage', 5000),
  fresh: blobCase('fresh', 5000),
};
const images = [
  ...hangs.flatMap(({ blob, halfRead }) => [blob, halfRead]),
  ...Object.values(BLOBS),
].map(({ image }) => image);

let store: FaultyStore;
let mount: MountedLayoutfs;

beforeAll(async () => {
  const corpus = corpusOf({ app: images, 'other/app': images, 'third/app': images });
  store = await startFaultyStore(keysOf(corpus, 'shared'));
  mount = await store.mount(
    ...['--refresh', `${REFRESH_MS}ms`],
    ...['--request-timeout', `${REQUEST_MS}ms`, '--read-timeout', `${READ_MS}ms`],
  );
  expect(await readWhole('cat', path(BLOBS.known))).toEqual(rightReading(BLOBS.known.hex));
  await runOk('ls', ['-l', mount.mountpoint]);
  await runOk('ls', ['-lR', `${mount.mountpoint}/app`]);
});
afterEach(async () => {
  store.proxy.heal();
  await store.gate.open().catch(() => undefined);
  expect(await stuckProcesses()).toEqual([]);
});
afterAll(async () => {
  await mount.unmount();
  await store.stop();
});

describe.for(hangs)('a store that $name', ({ fault, blob, halfRead }) => {
  it('makes a read end with EIO in time, and nobody else waits', async () => {
    const broken = store.proxy.add(fault, { operation: 'GET', key: blob.key });
    const reading = within(BOUND_MS, () => readWhole('cat', path(blob)));
    // The daemon serves others meanwhile, also what needs requests.
    expect(await readWhole('dd iflag=direct', path(BLOBS.known))).toEqual(
      rightReading(BLOBS.known.hex),
    );
    expect(await readWhole('cat', `${mount.mountpoint}/other/app/oci-layout`)).toMatchObject({
      ok: true,
    });
    expect(await reading).toEqual(EIO);
    expect(broken.hits).toBeGreaterThan(0);
    store.proxy.heal();
    expect(await readWhole('cat', path(blob))).toEqual(rightReading(blob.hex));
  });

  it('in the middle of a blob makes its reader wait no longer than that', async () => {
    const reader = await HeldFile.open(path(halfRead));
    expect(await reader.read(0, 4096)).toBe(halfRead.part(0, 4096));
    store.proxy.add(fault, {});
    expect(await within(BOUND_MS, () => reader.read(0, 12 * MiB))).toBe('EIO');
    store.proxy.heal();
    expect(await reader.read(0, 12 * MiB)).toBe(halfRead.part(0, 12 * MiB));
    await reader.close();
  });
});

describe.for([
  { name: 'answers nothing', fault: { kind: 'hangBeforeHead' } },
  { name: 'closes every connection', fault: { kind: 'drop' } },
  { name: 'answers 503', fault: { kind: 'status', status: 503, code: 'SlowDown' } },
] satisfies { name: string; fault: Fault }[])('when the whole store $name', ({ fault }) => {
  it('what is known is served, marked stale, and what is not known ends in time', async () => {
    const index = `${mount.mountpoint}/app/index.json`;
    const before = await runOk('cat', [index]);
    store.proxy.add(fault, {});
    await sleep(REFRESH_MS + 50);

    await within(BOUND_MS, () => runOk('df', [mount.mountpoint]));
    const listed = await within(BOUND_MS, () => runOk('ls', [mount.mountpoint]));
    expect(listed.split('\n')).toContain('app');
    expect(await within(BOUND_MS, () => runOk('cat', [index]))).toBe(before);
    expect(await within(BOUND_MS, () => readWhole('cat', path(BLOBS.known)))).toEqual(
      rightReading(BLOBS.known.hex),
    );
    const { staleIndexes, store: health } = await mount.status();
    expect(staleIndexes).toContain('app');
    expect(health.healthy).toBe(false);
    expect(health.lastError?.message).toMatch(/./);

    // Nobody has looked at this repository: it can neither be shown nor called absent.
    const unknown = `${mount.mountpoint}/third/app/index.json`;
    expect(await within(BOUND_MS, () => readWhole('cat', unknown))).toEqual(EIO);
    const stat = await within(BOUND_MS, () => run('stat', [unknown]));
    expect(stat.stderr).toContain('Input/output error');

    store.proxy.heal();
    await sleep(REFRESH_MS + 50);
    expect(await runOk('cat', [index])).toBe(before);
    const after = await mount.status();
    expect(after.staleIndexes).not.toContain('app');
    expect(after.store.healthy).toBe(true);
  });
});

describe('503 on one request in ten', () => {
  it('is not noticed by readers', async () => {
    // With the deadlines that users have: S3 clients wait for up to a second after a 503, which is
    // longer than the request may take in the mount of the other tests. And with little memory, so
    // that the second repository costs requests too.
    const patient = await store.mount('--memory', '16MiB');
    let seen = 0;
    const storm = store.proxy.add(
      { kind: 'status', status: 503, code: 'SlowDown' },
      { where: () => seen++ % 10 === 3 },
    );
    for (const blob of [BLOBS.storm, ...hangs.map((hang) => hang.blob)]) {
      for (const repository of ['app', 'other/app']) {
        const reading = await readWhole(
          'dd iflag=direct',
          blob.pathIn(patient.mountpoint, repository),
        );
        expect.soft(reading).toEqual(rightReading(blob.hex));
      }
    }
    await runOk('ls', ['-lR', `${patient.mountpoint}/other`]);
    expect(storm.hits).toBeGreaterThan(5);
    store.proxy.heal();
    await patient.unmount();
  });
});

describe('a store that is killed', () => {
  it('in the middle of a read: EIO in time; back again, the same reader goes on', async () => {
    const blob = BLOBS.killed;
    const reader = await HeldFile.open(path(blob));
    expect(await reader.read(0, MiB)).toBe(blob.part(0, MiB));
    await store.gate.shut();
    expect(await within(BOUND_MS, () => reader.read(0, 20 * MiB))).toBe('EIO');
    await store.gate.open();
    expect(await reader.read(0, 20 * MiB)).toBe(blob.part(0, 20 * MiB));
    await reader.close();
  });

  it('and comes back soon is not noticed by a reader', async () => {
    const blob = BLOBS.outage;
    await store.gate.shut();
    const reading = readWhole('cat', path(blob));
    await sleep(300);
    await store.gate.open();
    const outcome = await reading;
    expect([EIO, rightReading(blob.hex)]).toContainEqual(outcome);
    expect(await readWhole('cat', path(blob))).toEqual(rightReading(blob.hex));
  });

  it('and stays away: every new read is EIO in time, what is known stays', async () => {
    await store.gate.shut();
    const started = Date.now();
    expect(await readWhole('cat', path(BLOBS.fresh))).toEqual(EIO);
    expect(await readWhole('cat', path(BLOBS.known))).toEqual(rightReading(BLOBS.known.hex));
    expect(await runOk('ls', [mount.mountpoint])).toContain('app');
    await runOk('df', [mount.mountpoint]);
    expect(Date.now() - started).toBeLessThan(4 * BOUND_MS);
    const status = await mount.status();
    expect(status.store.lastError?.code).toBe('Unreachable');
    expect(await mount.log()).toContain('nothing listens there');
    await store.gate.open();
    expect(await readWhole('cat', path(BLOBS.fresh))).toEqual(rightReading(BLOBS.fresh.hex));
  });
});

function path(blob: (typeof BLOBS)['known'], repository = 'app'): string {
  return blob.pathIn(mount.mountpoint, repository);
}

/** Await some work that must not take longer than so many milliseconds. */
async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  const outcome = await work();
  expect(Date.now() - started).toBeLessThan(ms);
  return outcome;
}

/** Processes that name the mount and wait for the disk, as nothing may long after its deadline. */
async function stuckProcesses(): Promise<string[]> {
  const lines = (await runOk('ps', ['-eo', 'state=,pid=,args='])).split('\n');
  return lines.filter((line) => line.startsWith('D') && line.includes(mount.mountpoint));
}
