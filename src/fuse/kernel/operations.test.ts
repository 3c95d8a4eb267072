import { beforeEach, describe, expect, test } from 'vitest';

import { MemoryFileSystem } from '../../../test/mount/support/memory-file-system.js';
import { silentLog } from '../../observe/log.js';
import { ROOT_INODE } from '../../tree/file-system.js';
import { watchBacking } from './backing-watch.js';
import { Operations } from './operations.js';
import { InitFlag, InitFlag2, OpenFlag, Size } from './protocol.js';
import type { Body, Request } from './requests.js';

/** As MemoryFileSystem numbers them. */
const DIRECTORY = 2 ** 40 + 1000;
const FILE = DIRECTORY + 1;
const OPEN_FLAGS = Size.OUT_HEADER + 8;

let fileSystem: MemoryFileSystem;
let operations: Operations;
let answers: { unique: number; reply: Buffer }[];
let isTaken: boolean;
let news: object[];
let notices: string[];
let backings: { open: () => number; calls: string[] };
let lastUnique: number;

beforeEach(() => {
  fileSystem = new MemoryFileSystem();
  fileSystem.put('/d/file', { content: Buffer.from('text') });
  answers = [];
  isTaken = true;
  news = [];
  notices = [];
  backings = { open: () => 1, calls: [] };
  lastUnique = 0;
  operations = new Operations(fileSystem, {
    owner: { uid: 0, gid: 0 },
    refreshMs: 0,
    log: silentLog,
    answer: ({ low }, chunks) => {
      answers.push({ unique: low, reply: Buffer.concat(chunks) });
      return isTaken;
    },
    publish: ({ id, parent }) => news.push({ publish: id, parent }),
    withdraw: (parent) => news.push({ withdraw: parent }),
    settleTold: () => undefined,
    notify: (key) => {
      notices.push(key);
      return Promise.resolve();
    },
    backings: {
      prepare: () => undefined,
      open: () => (backings.calls.push('open'), backings.open()),
      close: () => void backings.calls.push('close'),
      watch: watchBacking,
    },
  });
});

function requestOf(nodeid: number, body: Body): Request {
  lastUnique += 1;
  const unique = { low: lastUnique, high: 0 };
  return { opcode: 0, unique, nodeid, uid: 0, gid: 0, pid: 0, body };
}

/** Send a request and wait for its answer. */
async function ask(nodeid: number, body: Body): Promise<Buffer> {
  const request = requestOf(nodeid, body);
  operations.handle(request);
  const find = () => answers.find(({ unique }) => unique === request.unique.low);
  await expect.poll(find, { interval: 1 }).toBeDefined();
  return find()?.reply ?? Buffer.alloc(0);
}

const failing = (): number => {
  throw Object.assign(new Error('stacked'), { code: 'ELOOP' });
};

const lookUp = async () => {
  await ask(ROOT_INODE, { kind: 'lookup', name: 'd' });
  const reply = await ask(DIRECTORY, { kind: 'lookup', name: 'file' });
  return Number(reply.readBigUInt64LE(Size.OUT_HEADER));
};
const open = async (ino: number) => {
  const reply = await ask(ino, { kind: 'open', flags: 0 });
  return {
    handle: Number(reply.readBigUInt64LE(Size.OUT_HEADER)),
    keep: (reply.readUInt32LE(OPEN_FLAGS) & OpenFlag.KEEP_CACHE) !== 0,
  };
};

describe('an answer that nobody takes', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['lookup', () => ask(DIRECTORY, { kind: 'lookup', name: 'file' })],
    ['open', () => ask(FILE, { kind: 'open', flags: 0 })],
  ])('to %s takes nothing', async (_, request) => {
    await ask(ROOT_INODE, { kind: 'lookup', name: 'd' });
    const before = fileSystem.owed();
    isTaken = false;
    await request();
    expect(fileSystem.owed()).toEqual(before);
  });

  test('to readdirplus takes nothing', async () => {
    await ask(ROOT_INODE, { kind: 'lookup', name: 'd' });
    const opened = await ask(DIRECTORY, { kind: 'opendir', flags: 0 });
    const handle = Number(opened.readBigUInt64LE(Size.OUT_HEADER));
    const before = fileSystem.owed();
    isTaken = false;
    const body = { kind: 'readdirplus', handle, offset: 0, size: 4096 } as const;
    const reply = await ask(DIRECTORY, body);
    expect(reply.toString('latin1')).toContain('file');
    expect(fileSystem.calls['refer']).toBe(1);
    expect(fileSystem.owed()).toEqual(before);
  });
});

describe('pages', () => {
  test('stay from the first open on when all that was delivered is verified', async () => {
    const ino = await lookUp();
    const first = await open(ino);
    // There are none yet, so none need go.
    expect(first.keep).toBe(true);
    await ask(ino, { kind: 'release', handle: first.handle });
    expect((await open(ino)).keep).toBe(true);
  });

  test('go when an unverified handle was released', async () => {
    const ino = await lookUp();
    fileSystem.alter('/d/file', { content: Buffer.from('text'), verified: false });
    const { handle } = await open(ino);
    await ask(ino, { kind: 'release', handle });
    expect((await open(ino)).keep).toBe(false);
  });
});

describe('a file that has become one on the disk', () => {
  const MANY = 64 * 1024 * 1024;
  const back = (size = MANY) => fileSystem.back('/d/file', import.meta.filename, size);
  const init = () =>
    ask(0, {
      kind: 'init',
      major: 7,
      minor: 45,
      maxReadahead: 2 ** 17,
      flags: InitFlag.INIT_EXT,
      flags2: InitFlag2.PASSTHROUGH,
    });
  const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

  test('has no pages in the way of the next open, if the kernel takes such files', async () => {
    await init();
    const ino = await lookUp();
    back();
    await expect.poll(() => notices, { interval: 1 }).toEqual([`pages ${ino}`]);
    expect(backings.calls).toContain('open');
  });

  test.each<[string, () => unknown]>([
    ['has not agreed to take files', () => undefined],
    ['takes none', () => init().then(() => (backings.open = failing))],
  ])('keeps its pages when the kernel %s', async (_, prepare) => {
    await prepare();
    await lookUp();
    back();
    await settled();
    expect(notices).toEqual([]);
  });

  test('keeps them when they are few, and while somebody reads them', async () => {
    await init();
    await lookUp();
    back(4096);
    await settled();
    expect(notices).toEqual([]);
    fileSystem.put('/d/served', { content: Buffer.from('text') });
    const reply = await ask(DIRECTORY, { kind: 'lookup', name: 'served' });
    const served = Number(reply.readBigUInt64LE(Size.OUT_HEADER));
    const { handle } = await open(served);
    fileSystem.back('/d/served', import.meta.filename, MANY);
    await settled();
    expect(notices).toEqual([]);
    await ask(served, { kind: 'release', handle });
  });
});

describe('names of a directory where lookups come thick and fast', () => {
  const lookUpOften = async () => {
    await ask(ROOT_INODE, { kind: 'lookup', name: 'd' });
    for (let count = 0; count < 8; count += 1) {
      await ask(DIRECTORY, { kind: 'lookup', name: 'file' });
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  const forget = () =>
    operations.handle(
      requestOf(0, { kind: 'forget', forgets: [{ nodeid: DIRECTORY, count: 2 ** 32 }] }),
    );

  beforeEach(() => {
    fileSystem.put('/d/file', { content: Buffer.from('text'), timeout: Infinity });
  });

  test('are published; again, not anew, after the kernel forgot the directory', async () => {
    await lookUpOften();
    expect(news).toEqual([{ publish: 1, parent: DIRECTORY }]);
    const { readdir } = fileSystem.calls;
    forget();
    await lookUpOften();
    const twice = [{ publish: 1, parent: DIRECTORY }, { withdraw: DIRECTORY }];
    expect(news).toEqual([...twice, { publish: 1, parent: DIRECTORY }]);
    expect(fileSystem.calls['readdir']).toBe(readdir);
    // What a thread has told of them is known all the time.
    const { references } = fileSystem.owed();
    operations.told(1, 0);
    expect(fileSystem.owed().references).toBe(references + 1);
  });

  test('are published anew when they have changed', async () => {
    await lookUpOften();
    forget();
    fileSystem.put('/d/other', { content: Buffer.from('text'), timeout: Infinity });
    await lookUpOften();
    expect(news.at(-1)).toEqual({ publish: 2, parent: DIRECTORY });
  });
});

test('writing is refused, whatever the open flags beside it', async () => {
  const ino = await lookUp();
  for (const flags of [1, 2, 0x8001]) {
    const reply = await ask(ino, { kind: 'open', flags });
    expect(reply.readInt32LE(4)).toBe(-30);
  }
});

test('20,000 random requests are answered once each, and leave nothing at the end', async () => {
  const random = randomNumbers(3);
  const pick = <T>(...choices: T[]): T => choices[random() % choices.length] as T;
  const some = () => pick(0, 1, 2, 3, 7, DIRECTORY, FILE, 2 ** 53, random());
  let expected = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const kind = pick(...KINDS);
    const body = {
      kind,
      name: pick('d', 'file', '', undefined, '..', 'x'.repeat(5000)),
      flags: pick(0, 0x8800, 1),
      handle: some(),
      offset: some(),
      size: pick(0, 1, 31, 200, 4096, 2 ** 32 - 1),
      forgets: [{ nodeid: some(), count: pick(0, 1, 2 ** 60) }],
      interrupted: { low: 0, high: 0 },
      major: 7,
      minor: pick(0, 45, 2 ** 31),
      maxReadahead: some() % 2 ** 32,
      flags2: 0,
    } as Body;
    operations.handle(requestOf(pick(ROOT_INODE, DIRECTORY, FILE, some()), body));
    if (kind !== 'forget' && kind !== 'interrupt') expected += 1;
    if (round % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await operations.end();
  expect(answers).toHaveLength(expected);
  expect(new Set(answers.map(({ unique }) => unique)).size).toBe(expected);
  for (const { reply } of answers) expect(reply.readUInt32LE(0)).toBe(reply.byteLength);
  expect(fileSystem.owed()).toEqual({ references: 0, handles: 0 });
});

const KINDS = [
  'init',
  'lookup',
  'forget',
  'getattr',
  'open',
  'opendir',
  'read',
  'readdir',
  'readdirplus',
  'release',
  'releasedir',
  'statfs',
  'interrupt',
  'destroy',
  'readlink',
  'mutation',
  'unsupported',
] as const;

/** xorshift32: the same numbers in each run. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
