import { expect, test } from 'vitest';

import { silentLog } from '../../observe/log.js';
import { Notices } from './notices.js';

/** A kernel that takes each batch when it is told to. */
function slowKernel() {
  const batches: { notices: string[]; take: () => void }[] = [];
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_: unknown, message: string) => void warnings.push(message) };
  const send = (notices: readonly Uint8Array[]) =>
    new Promise<void>((take) => {
      batches.push({ notices: notices.map((one) => Buffer.from(one).toString()), take });
    });
  return { batches, warnings, notices: new Notices(send, log) };
}

const settled = async (promise: Promise<void>) =>
  Promise.race([promise.then(() => true), new Promise((end) => setTimeout(() => end(false), 20))]);

test('what is added together goes together, and what waits already waits once', async () => {
  const { notices, batches } = slowKernel();
  const [a, again, b] = ['a', 'a', 'b'].map((key) => notices.add(key, Buffer.from(key)));
  expect(again).toBe(a);
  await expect.poll(() => batches.map((batch) => batch.notices)).toEqual([['a', 'b']]);
  expect(await settled(a ?? Promise.resolve())).toBe(false);
  batches[0]?.take();
  await Promise.all([a, b]);
});

test('a notice that is on its way already is sent again: it may be about what came after', async () => {
  const { notices, batches } = slowKernel();
  const first = notices.add('a', Buffer.from('first'));
  await expect.poll(() => batches.length).toBe(1);
  const second = notices.add('a', Buffer.from('second'));
  batches[0]?.take();
  await first;
  await expect.poll(() => batches.length).toBe(2);
  expect(await settled(second)).toBe(false);
  batches[1]?.take();
  await second;
});

test('at its end nobody waits for what is not on its way yet', async () => {
  const { notices, batches } = slowKernel();
  const sent = notices.add('a', Buffer.from('a'));
  await expect.poll(() => batches.length).toBe(1);
  const waiting = notices.add('b', Buffer.from('b'));
  notices.close();
  await waiting;
  await notices.add('c', Buffer.from('c'));
  expect(await settled(sent)).toBe(false);
  batches[0]?.take();
  await sent;
  expect(batches).toHaveLength(1);
});

test('too many are dropped, with a warning, and nobody waits for them', async () => {
  const { notices, batches, warnings } = slowKernel();
  void notices.add('first', Buffer.from('first'));
  await expect.poll(() => batches.length).toBe(1);
  const added = Array.from({ length: 10_001 }, (_, index) =>
    notices.add(String(index), Buffer.from('x')),
  );
  await added.at(-1);
  expect(warnings).toHaveLength(1);
  notices.close();
  await Promise.all(added);
});
