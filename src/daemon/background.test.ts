import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startInBackground } from './background.js';

let directory: string;
let logFile: string;
const started: number[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'layoutfs-background-'));
  logFile = join(directory, 'log', 'mount.log');
});

afterAll(async () => {
  for (const pid of started.filter(isAlive)) process.kill(pid, 'SIGKILL');
  await rm(directory, { recursive: true });
});

/** Start a daemon that runs this script; it writes its handshake to descriptor 3. */
const start = (script: string, options: { limitMs?: number; signal?: AbortSignal } = {}) =>
  startInBackground({
    command: process.execPath,
    args: ['-e', script],
    logFile,
    limitMs: 10_000,
    ...options,
  });

const shake = (handshake: string) => `require('fs').writeSync(3, ${handshake} + '\\n');`;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('a mount in the background', () => {
  it('is left running once it is ready, in a session of its own', async () => {
    const handshake = await start(
      `${shake('JSON.stringify({ ready: true, pid: process.pid, notes: [] })')} setTimeout(() => {}, 30000);`,
    );
    if (!handshake.ready) throw new Error(handshake.message);
    started.push(handshake.pid);
    expect(isAlive(handshake.pid)).toBe(true);
    const stat = await readFile(`/proc/${handshake.pid}/stat`, 'utf8');
    const [, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    expect(Number(session)).toBe(handshake.pid);
  });

  it('hands over why it failed', async () => {
    const failed = { ready: false, message: 'There is no bucket.', exitCode: 1 };
    await expect(start(shake(`'${JSON.stringify(failed)}'`))).resolves.toEqual(failed);
  });

  it('is reported with the tail of its log when it dies without a word', async () => {
    await expect(start('console.error("of an earlier mount"); process.exit(7);')).rejects.toThrow();
    const death = start('console.error("first\\nsecond\\n"); process.exit(7);');
    await expect(death).rejects.toThrow(
      `The mount ended before it was ready (exit code 7); its log is ${logFile}. Its log ends: first | second`,
    );
  });

  it('is reported with the signal that killed it', async () => {
    await expect(start('process.kill(process.pid, "SIGKILL")')).rejects.toThrow(
      /ended before it was ready \(SIGKILL\)/,
    );
  });

  it('is stopped when it is not ready in time, also if it ignores SIGTERM', async () => {
    const hang = start(
      `console.error('pid=' + process.pid); process.on('SIGTERM', () => {}); setTimeout(() => {}, 30000);`,
      { limitMs: 1000 },
    );
    await expect(hang).rejects.toThrow(/was not ready in time and was stopped/);
    const pid = /pid=(\d+)/.exec(await readFile(logFile, 'utf8'))?.[1];
    expect(isAlive(Number(pid))).toBe(false);
  });

  it('is stopped when the user gives up', async () => {
    const controller = new AbortController();
    const hang = start('setTimeout(() => {}, 30000);', { signal: controller.signal });
    await sleep(200);
    controller.abort(new Error('SIGINT'));
    await expect(hang).rejects.toThrow(/was interrupted/);
  });

  it('is reported when it cannot be started', async () => {
    const missing = startInBackground({ command: '/nowhere', args: [], logFile, limitMs: 5000 });
    await expect(missing).rejects.toThrow(/could not be started \(spawn \/nowhere ENOENT\)/);
  });
});
