import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A real S3 server on loopback, started for this test run alone. */
export interface S3Server {
  /** As `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** A second user, whom the server knows and who may do nothing. */
  readonly otherAccessKey: string;
  readonly otherSecretKey: string;
  /** Path of the server's log. */
  readonly log: string;
  /** End every daemon and remove its state. */
  stop(): Promise<void>;
}

/** Starting takes seconds; a server that needs longer than this is not coming. */
const START_MS = 80_000;

/** Of many starts on a busy machine, one hangs now and then, in Ceph's own setup. */
const ATTEMPTS = 2;

/**
 * Start the server of `script` (beside this file) with all its state in a new temporary directory.
 * @throws Error that says which packages to install, or what the server's logs say.
 */
export async function startServer(script: 'radosgw.sh' | 'swift.sh'): Promise<S3Server> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryToStart(script);
    } catch (error) {
      if (attempt === ATTEMPTS || isMissing(error)) throw error;
      process.stderr.write(`${String(error)}\nIt is tried once more.\n`);
    }
  }
}

/** Whether the script ended because its programs are not installed. */
function isMissing(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 3;
}

async function tryToStart(script: 'radosgw.sh' | 'swift.sh'): Promise<S3Server> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const dir = await mkdtemp(join(tmpdir(), `layoutfs-${script.replace('.sh', '')}-`));
  // Where a test run ends before it stops the server; the daemons would outlive it.
  const stopLate = () => {
    execFileSync(path, ['stop', dir]);
  };
  process.once('exit', stopLate);
  const stop = async () => {
    process.off('exit', stopLate);
    await run(path, ['stop', dir]);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const { stdout } = await run(path, ['start', dir], { timeout: START_MS });
    return { ...readReply(stdout), stop };
  } catch (error) {
    await stop();
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
    throw new Error(`${script} could not start the server. ${stderr}`, { cause: error });
  }
}

function readReply(stdout: string): Omit<S3Server, 'stop'> {
  const values = new Map(
    stdout.split('\n').flatMap((line) => {
      const equals = line.indexOf('=');
      return equals < 0 ? [] : [[line.slice(0, equals), line.slice(equals + 1)] as const];
    }),
  );
  const get = (name: string): string => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`The server's script did not print "${name}=".`);
    return value;
  };
  return {
    endpoint: get('endpoint'),
    accessKey: get('accessKey'),
    secretKey: get('secretKey'),
    otherAccessKey: get('otherAccessKey'),
    otherSecretKey: get('otherSecretKey'),
    log: get('log'),
  };
}
