import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { accessSync, constants, openSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LAYOUTFS = join(import.meta.dirname, '../../../../bin/layoutfs');
const READY_WITHIN_MS = 30_000;

/** Any pair will do: the origin checks no signature; radosgw brings its own. */
export const CREDENTIALS = { accessKey: 'bench', secretKey: 'bench-secret' };

/**
 * @typedef {object} Place where one mount lives
 * @property {string} home for files of the program itself
 * @property {string} mountpoint
 * @property {string} cache directory
 *
 * @typedef {object} Contender a program that mounts the bucket
 * @property {string} name
 * @property {string} program to look for on PATH
 * @property {(place: Place, origin: import('../origin/start.mjs').Origin) => string[]} command
 * @property {(place: Place, origin: import('../origin/start.mjs').Origin) => object} [env]
 */

/**
 * With a cache on the local disk, and tuned: the flags of `docs/performance.md`.
 * @type {Contender[]}
 */
export const CONTENDERS = [
  {
    name: 'layoutfs',
    program: LAYOUTFS,
    command: ({ home, mountpoint, cache }, { url, bucket }) => [
      ...['mount', '-f', `s3://${bucket}?endpoint=${url}&region=us-east-1`, mountpoint],
      ...['--cache-dir', cache, '--state-dir', join(home, 'state'), '--log', join(home, 'log')],
    ],
  },
  {
    name: 's3fs',
    program: 's3fs',
    command: ({ home, mountpoint, cache }, { url, bucket }) => [
      ...[bucket, mountpoint, '-f', '-o'],
      [
        `url=${url},use_path_request_style,ro,complement_stat,umask=0022,use_cache=${cache}`,
        `passwd_file=${join(home, 'passwd-s3fs')}`,
        'parallel_count=16,multipart_size=16,multireq_max=64,max_stat_cache_size=100000',
      ].join(','),
    ],
  },
  {
    name: 'rclone',
    program: 'rclone',
    command: ({ home, mountpoint, cache }, { bucket }) => [
      ...['mount', `origin:${bucket}`, mountpoint, '--config', join(home, 'rclone.conf')],
      ...['--cache-dir', cache, '--read-only', '--vfs-cache-mode', 'full'],
      ...['--vfs-read-ahead', '128M', '--buffer-size', '32M', '--use-server-modtime'],
      ...['--no-checksum', '--attr-timeout', '1h', '--dir-cache-time', '24h', '--transfers', '16'],
    ],
  },
  {
    name: 'mount-s3',
    program: 'mount-s3',
    command: ({ mountpoint, cache }, { url, bucket }) => [
      ...[bucket, mountpoint, '-f', '--endpoint-url', url, '--region', 'us-east-1'],
      ...['--force-path-style', '--read-only', '--cache', cache, '--metadata-ttl', 'indefinite'],
    ],
  },
  {
    name: 'geesefs',
    program: 'geesefs',
    command: ({ mountpoint, cache }, { url, bucket }) => [
      ...['-f', '-o', 'ro', '--endpoint', url, '--cache', cache, '--stat-cache-ttl', '1h'],
      ...[bucket, mountpoint],
    ],
  },
  {
    name: 'goofys',
    program: 'goofys',
    command: ({ mountpoint }, { url, bucket }) => [
      ...['-f', '-o', 'ro', '--endpoint', url, bucket, mountpoint],
    ],
  },
];

/** Those of {@link CONTENDERS} whose programs are here. */
export function present() {
  return CONTENDERS.filter(({ program }) => isExecutable(program));
}

function isExecutable(program) {
  const places = program.includes('/')
    ? [program]
    : (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, program));
  return places.some((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** One mount of a contender, which runs in the foreground. */
export class ContenderMount {
  #child;

  /** @param {Contender} contender @param {Place} place */
  constructor(contender, place) {
    this.contender = contender;
    this.place = place;
  }

  /**
   * Start, and wait for nothing but the mount.
   * @param {import('../origin/start.mjs').Origin} origin
   */
  async start(origin) {
    const { contender, place } = this;
    const { accessKey, secretKey } = origin.credentials ?? CREDENTIALS;
    await mkdir(place.cache, { recursive: true, mode: 0o700 });
    await mkdir(place.mountpoint, { recursive: true });
    await writeFile(join(place.home, 'passwd-s3fs'), `${accessKey}:${secretKey}\n`);
    await chmod(join(place.home, 'passwd-s3fs'), 0o600);
    await writeFile(
      join(place.home, 'rclone.conf'),
      `[origin]\ntype = s3\nprovider = Other\nendpoint = ${origin.url}\naccess_key_id = ${accessKey}\nsecret_access_key = ${secretKey}\nforce_path_style = true\n`,
    );
    const output = openSync(join(place.home, `${contender.name}.out`), 'a');
    const env = {
      ...process.env,
      XDG_RUNTIME_DIR: place.home,
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
    };
    delete env.AWS_CA_BUNDLE;
    const command = contender.command(place, origin);
    this.#child = spawn(contender.program, command, { stdio: ['ignore', output, output], env });
    const deadline = performance.now() + READY_WITHIN_MS;
    while (!(await isMounted(place.mountpoint))) {
      if (this.#child.exitCode !== null || performance.now() > deadline) {
        const words = await readFile(join(place.home, `${contender.name}.out`), 'utf8');
        throw new Error(`${contender.name} did not mount: ${words.slice(-2000)}`);
      }
      await sleep(1);
    }
  }

  /** Seconds of CPU time so far, and the peak of memory in MB since the last time. */
  async usage() {
    const pid = this.#child.pid;
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    await writeFile(`/proc/${pid}/clear_refs`, '5').catch(() => undefined);
    // Clock ticks of 10 ms, as on every Linux that Node runs on.
    const cpu = (Number(fields[11]) + Number(fields[12])) / 100;
    return { cpu, rss: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1000 };
  }

  async stop() {
    if (this.#child === undefined) return;
    const { mountpoint } = this.place;
    for (let attempt = 0; (await isMounted(mountpoint)) && attempt < 50; attempt++) {
      const lazy = attempt > 20 ? ['-l'] : [];
      await run('umount', [...lazy, mountpoint]).catch(() => sleep(100));
    }
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(late);
  }

  /** As the machine would: nothing is unmounted or written any more. */
  kill() {
    this.#child.kill('SIGKILL');
  }
}

async function isMounted(mountpoint) {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table.split('\n').some((line) => line.split(' ')[4] === mountpoint);
}
