import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Who asks, as far as default directories depend on it. */
export interface User {
  readonly uid: number;
  readonly home: string;
}

/** The user this process runs as. */
export function currentUser(): User {
  return { uid: process.getuid?.() ?? 0, home: homedir() };
}

/**
 * Where state is kept when `--state-dir` does not say: `/var/lib/layoutfs` for root, else below
 * `XDG_STATE_HOME` (https://specifications.freedesktop.org/basedir-spec/latest/, which ignores
 * relative paths).
 */
export function defaultStateDir(environment: NodeJS.ProcessEnv, user: User): string {
  if (user.uid === 0) return '/var/lib/layoutfs';
  const stateHome = environment['XDG_STATE_HOME'] ?? '';
  return join(isAbsolute(stateHome) ? stateHome : join(user.home, '.local/state'), 'layoutfs');
}

/**
 * Where control sockets lie, best first: below `XDG_RUNTIME_DIR`, and for root `/run/layoutfs`, where
 * mounts from fstab put theirs. The last one is for hosts without a runtime directory; whoever uses
 * it must check its owner.
 */
export function runtimeDirs(environment: NodeJS.ProcessEnv, user: User): readonly string[] {
  const runtime = environment['XDG_RUNTIME_DIR'] ?? '';
  return [
    ...(isAbsolute(runtime) ? [join(runtime, 'layoutfs')] : []),
    ...(user.uid === 0 ? ['/run/layoutfs'] : []),
    `/tmp/layoutfs-${user.uid}`,
  ];
}
