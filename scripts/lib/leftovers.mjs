// @ts-check
/**
 * What a run of the tests or of the demo left behind: FUSE mounts below $TMPDIR, and processes that
 * inherited LAYOUTFS_TEST_RUN. Prints them and exits 1 if there are any. With `--remove` it also
 * unmounts and ends them, and removes $TMPDIR.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';

const { LAYOUTFS_TEST_RUN: run, TMPDIR: directory } = process.env;
if (run === undefined || directory === undefined) {
  throw new Error('scripts/test sets LAYOUTFS_TEST_RUN and TMPDIR; without them nothing is known.');
}

/** Mount points below $TMPDIR, deepest first. */
function mounts() {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((mountpoint) => mountpoint.startsWith(`${directory}/`))
    .sort()
    .reverse();
}

/** Processes that inherited this run's variable, but for this one and those that wait for it. */
function processes() {
  const own = ancestors();
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && !own.has(name))
    .filter((pid) => readProc(pid, 'environ').split('\0').includes(`LAYOUTFS_TEST_RUN=${run}`))
    .map((pid) => ({ pid, command: readProc(pid, 'cmdline').replaceAll('\0', ' ').trim() }))
    .filter(({ command }) => command !== '');
}

function ancestors() {
  const pids = new Set();
  for (let pid = String(process.pid); pid !== '0' && pid !== '';) {
    pids.add(pid);
    pid = /^PPid:\s*(\d+)$/m.exec(readProc(pid, 'status'))?.[1] ?? '';
  }
  return pids;
}

/**
 * @param {string} pid
 * @param {string} file
 */
function readProc(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // It has ended, or belongs to somebody else.
  }
}

const foundMounts = mounts();
const foundProcesses = processes();
for (const mountpoint of foundMounts) console.log(`left mounted: ${mountpoint}`);
for (const { pid, command } of foundProcesses) console.log(`left running: ${pid} ${command}`);
if (foundMounts.length + foundProcesses.length === 0) console.log('nothing');
else process.exitCode = 1;

if (process.argv.includes('--remove')) {
  for (const { pid } of foundProcesses) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // Gone by itself.
    }
  }
  const unmount = process.getuid?.() === 0 ? ['umount', '-l'] : ['fusermount3', '-u', '-z'];
  for (const mountpoint of foundMounts) {
    const [command = '', ...options] = unmount;
    execFileSync(command, [...options, mountpoint], { stdio: 'ignore', timeout: 10_000 });
  }
  // A mount that could not be ended must not be deleted through.
  if (mounts().length === 0) rmSync(directory, { recursive: true, force: true });
}
