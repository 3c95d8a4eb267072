import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { currentUser } from '../config/directories.js';
import { controlSocketPath } from '../daemon/control-directory.js';
import {
  koffiProblem,
  passthroughProblem,
  probeKernel,
  probeLibfuse,
} from '../fuse/open-transport.js';
import { fail, type Finding, ok, warn } from './finding.js';

/** The oldest Node that we support, as in package.json. */
const OLDEST_NODE = [20, 19] as const;

/**
 * Whether this host and this user can mount.
 * @param cacheDir where a cache on the disk is meant to be
 */
export async function examineHost(stateDir: string, cacheDir?: string): Promise<Finding[]> {
  return [
    examineNode(process.versions.node),
    ...(await examineTransports()),
    ...(await examinePassthrough(cacheDir)),
    await examineState(stateDir),
    await examineControl(),
  ];
}

/** Exported for its test. */
export function examineNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) {
    return ok('node', `Node ${version} is recent enough.`);
  }
  return fail('node', `Node ${version} is too old: install ${OLDEST_NODE.join('.')} or newer.`);
}

/** One transport that works is enough; `kernel` is taken first. */
async function examineTransports(): Promise<Finding[]> {
  const [kernel, libfuse, withOthers, koffi] = await Promise.all([
    probeKernel(),
    probeLibfuse(),
    probeKernel({ allowOther: true }),
    koffiProblem(),
  ]);
  const lack = kernel.usable || libfuse.usable ? warn : fail;
  const findings: Finding[] = [];
  const tell = (check: string, usable: string, problems: readonly string[], lacking: typeof warn) =>
    findings.push(
      ...(problems.length === 0
        ? [ok(check, usable)]
        : problems.map((problem) => lacking(check, problem))),
    );
  tell('transport kernel', KERNEL_USABLE, kernel.problems, lack);
  tell('transport libfuse', LIBFUSE_USABLE, libfuse.problems, lack);
  // Root mounts without it; where it is in the way of mounting, it was named above.
  if (koffi !== undefined && !kernel.problems.includes(koffi)) findings.push(warn('koffi', koffi));
  const missing = withOthers.problems.filter((problem) => !kernel.problems.includes(problem));
  tell('other users', '--allow-other may be used.', missing, warn);
  return findings;
}

const KERNEL_USABLE = 'This process may mount and speak to the kernel itself; it is the default.';
const LIBFUSE_USABLE = 'fuse-native, libfuse and /dev/fuse are usable.';

/** Of no interest where the kernel transport cannot be used at all. */
async function examinePassthrough(cacheDir: string | undefined): Promise<Finding[]> {
  if (!(await probeKernel()).usable) return [];
  const problem = await passthroughProblem(cacheDir);
  if (problem !== undefined) {
    return [warn('passthrough', `Cached blobs are read through the daemon. ${problem}`)];
  }
  const where =
    cacheDir === undefined ? 'with --cache-dir on a plain file system' : `from ${cacheDir}`;
  return [
    ok('passthrough', `The kernel reads complete cached blobs without the daemon, ${where}.`),
  ];
}

/** Whether the directory, or the one it would be made in, can be written. Makes nothing. */
async function examineState(stateDir: string): Promise<Finding> {
  let directory = stateDir;
  for (;;) {
    try {
      await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
      return ok('state', `${stateDir} can be written.`);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' && dirname(directory) !== directory) {
        directory = dirname(directory);
        continue;
      }
      return fail(
        'state',
        `The state directory ${stateDir} cannot be written (${message}): name another with --state-dir.`,
      );
    }
  }
}

async function examineControl(): Promise<Finding> {
  try {
    await controlSocketPath('/', process.env, currentUser());
    return ok('control', 'Mounts can be asked for their status.');
  } catch (error) {
    return warn('control', (error as Error).message);
  }
}
