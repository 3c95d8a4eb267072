import { currentUser } from '../config/directories.js';
import { askMounts, callControl } from '../daemon/control-client.js';
import type { RefreshAnswer, RefreshedRepository } from '../daemon/refresh.js';
import { inspectMountpoint } from '../fuse/mountpoint.js';
import { EXIT, type ExitCode } from './exit-code.js';
import { explainUnasked } from './mounts-of-user.js';
import type { CommandContext } from './program.js';

/** Longer than the store may take for an index, in ms; many repositories take turns. */
const ANSWER_MS = 120_000;

/**
 * Run the command.
 * @param repositories none: everything
 * @throws Error when nothing of ours is mounted at `mountpoint`, or it does not answer
 */
export async function refresh(
  { terminal }: CommandContext,
  mountpoint: string,
  repositories: readonly string[],
  { json }: { json: boolean },
): Promise<ExitCode> {
  const found = await inspectMountpoint(mountpoint);
  const user = currentUser();
  const answers = await askMounts(terminal.environment, user, found.path);
  // The one that was started last is there; the others are detached.
  const [newest] = answers
    .flatMap((answer) => ('status' in answer ? [answer] : []))
    .sort((a, b) => (a.status.startedAt < b.status.startedAt ? 1 : -1));
  if (newest === undefined) {
    const [silent] = answers;
    if (silent === undefined) throw await explainUnasked(found, user.uid);
    throw new Error(
      `The mount on ${found.path} does not answer: ${'error' in silent ? silent.error : ''}.`,
    );
  }
  const paths = repositories.map(repositoryPath);
  const answer = (await callControl(newest.socket, 'POST', '/refresh', {
    ...(paths.length > 0 && { body: { repositories: paths } }),
    answerMs: ANSWER_MS,
  })) as RefreshAnswer;
  const failed = answer.repositories.filter(
    ({ outcome }) => outcome === 'failed' || outcome === 'absent',
  );
  if (json) terminal.out(`${JSON.stringify(answer, null, 2)}\n`);
  else terminal.out(renderRefreshed(answer.repositories));
  for (const one of failed) terminal.err(`layoutfs: ${complaint(one, found.path)}\n`);
  if (!answer.told) {
    terminal.err(
      'layoutfs: The kernel has not taken notice yet, for reads of these files are under way; it does when they end.\n',
    );
  }
  return failed.length > 0 ? EXIT.failed : EXIT.done;
}

/** The path of a repository, however a shell completed it. */
function repositoryPath(typed: string): string {
  return typed.replace(/^(\.?\/)+/, '').replace(/\/+$/, '');
}

/** One line for each repository that the store has. */
export function renderRefreshed(repositories: readonly RefreshedRepository[]): string {
  return repositories
    .filter(({ outcome }) => outcome === 'changed' || outcome === 'unchanged')
    .map(({ repository, outcome }) => `${repository}  ${outcome}\n`)
    .join('');
}

function complaint({ repository, outcome, reason }: RefreshedRepository, path: string): string {
  return outcome === 'absent'
    ? `${repository} is no repository that ${path} shows.`
    : `${repository} could not be refreshed: ${reason ?? 'no reason was given'}`;
}
