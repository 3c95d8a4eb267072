import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JournalStream } from './journal.js';
import { formatForJournal, formatForPerson } from './log-line.js';
import { openLogger } from './logger.js';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'layoutfs-log-'));
});

afterEach(() => rm(home, { recursive: true }));

describe('a log file', () => {
  it('has one JSON object per line, from its level up, errors with their cause', async () => {
    const path = join(home, 'new', 'mount.log');
    const logger = await openLogger({ destination: path, level: 'info' });
    logger.log.debug({}, 'too small');
    logger.log.error(
      { error: new Error('outer', { cause: new Error('inner') }), n: 1 },
      'It failed.',
    );
    await logger.close();
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(lines).toHaveLength(1);
    const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    expect(line).toMatchObject({ level: 'error', msg: 'It failed.', n: 1 });
    expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/);
    expect(JSON.stringify(line['error'])).toMatch(/outer.*inner/);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('is opened anew when it was rotated away', async () => {
    const path = join(home, 'mount.log');
    const logger = await openLogger({ destination: path, level: 'info' });
    logger.log.info({}, 'before');
    await rename(path, `${path}.1`);
    logger.reopen();
    await expect.poll(() => stat(path).catch(() => undefined)).toBeDefined();
    logger.log.info({}, 'after');
    await logger.close();
    expect(await readFile(`${path}.1`, 'utf8')).toContain('before');
    expect(await readFile(path, 'utf8')).toContain('after');
  });

  it('that cannot be written is refused with the option', async () => {
    await expect(openLogger({ destination: '/proc/nowhere/log', level: 'info' })).rejects.toThrow(
      /The log file \/proc\/nowhere\/log cannot be written \(ENOENT.*\): name another with --log\./,
    );
  });
});

describe('lines', () => {
  const json = JSON.stringify({
    level: 'warn',
    time: '2026-01-02T03:04:05.006Z',
    repository: 'team/app',
    reason: 'it was\nbroken',
    error: { message: 'no "way"', stack: 'Error: …' },
    msg: 'Served stale.',
  });

  it('for a person: time, level, sentence, fields', () => {
    expect(formatForPerson(json)).toBe(
      '03:04:05.006 warn  Served stale. repository=team/app reason="it was\\nbroken" error="no \\"way\\""\n',
    );
  });

  it('for the journal: severity, sentence, fields, and never a second line', () => {
    const odd = JSON.stringify({ level: 'error', time: '', msg: 'two\nlines', key: 'a' });
    expect(formatForJournal(odd)).toBe('<3>two | lines key=a\n');
    expect(formatForJournal(json)).toMatch(/^<4>Served stale\. /);
  });
});

describe('the journal', () => {
  /** What journald does, as far as we can see it: collect what clients stream. */
  async function listen(
    path: string,
  ): Promise<{ server: Server; text: () => string; drop: () => void }> {
    let text = '';
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    }).listen(path);
    await once(server, 'listening');
    return { server, text: () => text, drop: () => sockets.forEach((socket) => socket.destroy()) };
  }

  const HEADER = 'layoutfs\n\n6\n1\n0\n0\n0\n';

  it('gets a header, then lines', async () => {
    const path = join(home, 'stdout');
    const { server, text } = await listen(path);
    const journal = new JournalStream(path);
    await journal.open();
    journal.write('<6>one\n');
    journal.write('<3>two\n');
    await journal.close();
    await expect.poll(text).toBe(`${HEADER}<6>one\n<3>two\n`);
    server.close();
  });

  it('gets what was written while it was away', async () => {
    const path = join(home, 'stdout');
    const first = await listen(path);
    const journal = new JournalStream(path);
    await journal.open();
    await expect.poll(first.text).toBe(HEADER);
    first.drop();
    first.server.close();
    await once(first.server, 'close');
    // Until its own end has noticed that the other one is gone.
    await sleep(100);
    journal.write('<6>meanwhile\n');
    const second = await listen(path);
    await expect.poll(second.text, { timeout: 5000 }).toContain(`${HEADER}<6>meanwhile\n`);
    await journal.close();
    second.server.close();
  });

  it('is refused to start with when it is not there', async () => {
    await expect(new JournalStream(join(home, 'nothing')).open()).rejects.toThrow(/ENOENT/);
  });
});
