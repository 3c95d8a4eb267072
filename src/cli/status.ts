import { formatByteSize } from '../config/byte-size.js';
import { currentUser } from '../config/directories.js';
import { askMounts, type MountAnswer } from '../daemon/control-client.js';
import type { MountStatus } from '../daemon/status.js';
import { inspectMountpoint } from '../fuse/mountpoint.js';
import { EXIT, type ExitCode } from './exit-code.js';
import type { CommandContext } from './program.js';

/**
 * Run the command.
 * @throws Error when nothing of ours is mounted at `mountpoint`, or it does not answer
 */
export async function status(
  { terminal }: CommandContext,
  mountpoint: string | undefined,
  { json }: { json: boolean },
): Promise<ExitCode> {
  const path = mountpoint === undefined ? undefined : await requireMount(mountpoint);
  const answers = await askMounts(terminal.environment, currentUser(), path);
  const statuses = answers.flatMap((answer) => ('status' in answer ? [answer.status] : []));
  const silent = answers.filter((answer) => 'error' in answer);
  if (path !== undefined && answers.length === 0) {
    throw new Error(
      `The mount on ${path} cannot be asked: it belongs to another user, or has no control socket.`,
    );
  }
  if (json)
    terminal.out(
      `${JSON.stringify(path === undefined ? statuses : (statuses[0] ?? null), null, 2)}\n`,
    );
  else if (path !== undefined) terminal.out(statuses.map((one) => renderStatus(one)).join('\n'));
  else terminal.out(renderMounts(statuses));
  for (const answer of silent) terminal.err(`layoutfs: ${silence(answer)}\n`);
  return silent.length > 0 ? EXIT.failed : EXIT.done;
}

/** The path, if a layoutfs that is alive is mounted there. @throws Error which says what is there instead */
async function requireMount(mountpoint: string): Promise<string> {
  const found = await inspectMountpoint(mountpoint);
  if (found.kind !== 'layoutfs') throw new Error(`No layoutfs is mounted on ${found.path}.`);
  if (found.state === 'stale') {
    throw new Error(
      `The mount on ${found.path} is stale: its daemon was killed. Take it away with: layoutfs umount ${found.path}`,
    );
  }
  return found.path;
}

function silence(answer: MountAnswer): string {
  return `The mount behind ${answer.socket} does not answer: ${'error' in answer ? answer.error : ''}.`;
}

/** One line for each mount. */
export function renderMounts(statuses: readonly MountStatus[]): string {
  if (statuses.length === 0) return 'No mounts of this user.\n';
  return statuses
    .map((one) => `${one.mountpoint}  ${one.source}  ${healthWord(one)}, pid ${one.pid}\n`)
    .join('');
}

function healthWord({ state, store, staleIndexes, unresolved }: MountStatus): string {
  const words: string[] = [state];
  if (!store.healthy) words.push('store failing');
  if (staleIndexes.length > 0) words.push(`${staleIndexes.length} stale`);
  if (unresolved.length > 0) words.push(`${unresolved.length} lost`);
  return words.join(', ');
}

/** Everything about one mount, for people; counters that are still zero are left out. */
export function renderStatus(one: MountStatus): string {
  const facts: (readonly [string, string])[] = [
    ['mountpoint', one.mountpoint],
    ['source', one.source],
    ['registry', one.registry],
    [
      'state',
      `${one.state} for ${renderUptime(one.uptimeSeconds)}, pid ${one.pid}, layoutfs ${one.version}`,
    ],
    ['transport', one.transport],
    ['store', one.store.healthy ? 'answers' : 'fails'],
    [
      'kernel',
      `holds ${one.tree.inodes} inodes, ${one.tree.openFiles} open ${one.tree.openFiles === 1 ? 'file' : 'files'}`,
    ],
    ['memory', formatByteSize(one.memory.rssBytes)],
    ['log', one.log],
  ];
  const { lastError } = one.store;
  if (lastError !== undefined) facts.push(['last error', `${lastError.at} ${lastError.message}`]);
  const lines = facts.map(([name, value]) => `${name.padEnd(12)} ${value}`);
  lines.push(...section('Notes', one.notes));
  lines.push(...section('Served from an index.json that cannot be revalidated', one.staleIndexes));
  lines.push(
    ...section(
      'Lost: no stored object has the bytes',
      one.unresolved.map(({ repository, digest }) => `${repository} ${digest}`),
    ),
  );
  const counters = Object.entries(one.counters).filter(([, value]) => value > 0);
  lines.push(
    ...section(
      'Counters',
      counters.map(([name, value]) => `${name.padEnd(24)} ${value}`),
    ),
  );
  return `${lines.join('\n')}\n`;
}

function section(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : ['', `${title}:`, ...items.map((item) => `  ${item}`)];
}

function renderUptime(seconds: number): string {
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ] as const;
  const first = units.findIndex(([, size]) => seconds >= size);
  let rest = seconds;
  return units
    .slice(first < 0 ? units.length - 1 : first)
    .slice(0, 2)
    .map(([name, size]) => {
      const count = Math.floor(rest / size);
      rest -= count * size;
      return `${count} ${name}`;
    })
    .join(' ');
}
