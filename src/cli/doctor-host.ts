import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { currentUser } from '../config/directories.js';
import { controlSocketPath } from '../daemon/control-directory.js';
import { probeKernel, probeLibfuse } from '../fuse/open-transport.js';
import { fail, type Finding, ok, warn } from './finding.js';

/** The oldest Node that we support, as in package.json. */
const OLDEST_NODE = [20, 19] as const;

/** Whether this host and this user can mount. */
export async function examineHost(stateDir: string): Promise<Finding[]> {
  return [
    examineNode(process.versions.node),
    ...(await examineTransport()),
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

async function examineTransport(): Promise<Finding[]> {
  const [kernel, alone, withOthers] = await Promise.all([
    probeKernel(),
    probeLibfuse(),
    probeLibfuse({ allowOther: true }),
  ]);
  const findings = alone.usable
    ? [ok('transport libfuse', 'fuse-native, libfuse and /dev/fuse are usable.')]
    : alone.problems.map((problem) => fail('transport libfuse', problem));
  // Nothing needs it where libfuse works.
  findings.push(
    ...(kernel.usable
      ? [ok('transport kernel', 'This process may mount and speak to the kernel itself.')]
      : kernel.problems.map((problem) => warn('transport kernel', problem))),
  );
  const missing = withOthers.problems.filter((problem) => !alone.problems.includes(problem));
  findings.push(
    ...(missing.length === 0
      ? [ok('other users', '--allow-other may be used.')]
      : missing.map((problem) => warn('other users', problem))),
  );
  return findings;
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
