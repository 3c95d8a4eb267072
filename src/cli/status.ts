import type { DiskCacheStatus } from '../blobs/disk/local-disk-cache.js';
import { formatByteSize } from '../config/byte-size.js';
import { currentUser } from '../config/directories.js';
import { askMounts, type MountAnswer } from '../daemon/control-client.js';
import type { MountStatus } from '../daemon/status.js';
import { inspectMountpoint } from '../fuse/mountpoint.js';
import { lsCommandLine } from './command-hint.js';
import { explainUnasked, findDead, markDetached } from './mounts-of-user.js';
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
  const found = mountpoint === undefined ? undefined : await inspectMountpoint(mountpoint);
  const path = found?.path;
  const user = currentUser();
  const answers = await askMounts(terminal.environment, user, path);
  const statuses = await markDetached(
    answers.flatMap((answer) => ('status' in answer ? [answer.status] : [])),
  );
  const silent = answers.filter((answer) => 'error' in answer);
  if (found !== undefined && answers.length === 0) throw await explainUnasked(found, user.uid);
  const dead = path === undefined ? await findDead(user.uid, statuses) : [];
  if (json)
    terminal.out(
      `${JSON.stringify(path === undefined ? statuses : (statuses.at(-1) ?? null), null, 2)}\n`,
    );
  else if (path !== undefined) terminal.out(statuses.map((one) => renderStatus(one)).join('\n'));
  else terminal.out(renderMounts(statuses, dead));
  if (json) for (const line of dead) terminal.err(`layoutfs: ${line}\n`);
  for (const answer of silent) terminal.err(`layoutfs: ${silence(answer)}\n`);
  return silent.length > 0 || dead.length > 0 ? EXIT.failed : EXIT.done;
}

function silence(answer: MountAnswer): string {
  return `The mount behind ${answer.socket} does not answer: ${'error' in answer ? answer.error : ''}.`;
}

/** One line for each mount; `dead` are sentences about those that cannot be asked. */
export function renderMounts(
  statuses: readonly MountStatus[],
  dead: readonly string[] = [],
): string {
  const lines = statuses.map(
    (one) => `${one.mountpoint}  ${one.source}  ${healthWord(one)}, pid ${one.pid}`,
  );
  const all = [...lines, ...dead];
  return all.length === 0 ? 'No mounts of this user.\n' : `${all.join('\n')}\n`;
}

const DETACHED = 'detached, ends with its last reader';

function healthWord({ state, store, staleIndexes, unresolved }: MountStatus): string {
  const words: string[] = [state === 'detached' ? DETACHED : state];
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
      `${one.state === 'detached' ? `${DETACHED}; up` : one.state} for ${renderUptime(one.uptimeSeconds)}, pid ${one.pid}, layoutfs ${one.version}`,
    ],
    ['transport', one.transport],
    ['store', one.store.healthy ? 'answers' : 'fails'],
    [
      'kernel',
      `holds ${one.tree.inodes} inodes, ${one.tree.openFiles} open ${one.tree.openFiles === 1 ? 'file' : 'files'}`,
    ],
    [
      'memory',
      `resident ${formatByteSize(one.memory.rssBytes)} (blob and document budget ${formatByteSize(one.memory.budgetBytes)})`,
    ],
    ...(one.cache === undefined ? [] : [['cache', cacheFact(one.cache)] as const]),
    ['log', one.log],
  ];
  const { lastError } = one.store;
  if (lastError !== undefined) facts.push(['last error', `${lastError.at} ${lastError.message}`]);
  const lines = facts.map(([name, value]) => `${name.padEnd(12)} ${value}`);
  lines.push(...section('Notes', one.notes));
  lines.push(...section('Served from an index.json that cannot be revalidated', one.staleIndexes));
  lines.push(...lostSection(one));
  lines.push(...section('Requests of the kernel', columns(one.requests)));
  lines.push(...section('Counters', columns(one.counters)));
  return `${lines.join('\n')}\n`;
}

function cacheFact({ directory, bytes, maxBytes, trouble }: DiskCacheStatus): string {
  const used = bytes === undefined ? 'not counted yet' : formatByteSize(bytes);
  const writes = trouble === undefined ? '' : `, takes nothing more for now: ${trouble}`;
  return `${directory}, ${used} of ${formatByteSize(maxBytes)}${writes}`;
}

/** Numbers that are not zero, one a line. */
function columns(numbers: Readonly<Record<string, number>>): string[] {
  return Object.entries(numbers)
    .filter(([, value]) => value > 0)
    .map(([name, value]) => `${name.padEnd(24)} ${value}`);
}

/** Lost blobs that one screen holds. */
const SHOWN_LOST = 20;

/** What readers came upon; nobody looked for the rest. */
function lostSection({ unresolved, source }: MountStatus): string[] {
  const digests = new Set(unresolved.map(({ digest }) => digest)).size;
  const what =
    unresolved.length === 1
      ? '1 lost blob'
      : `${unresolved.length} lost blobs (${digests} ${digests === 1 ? 'digest' : 'digests'})`;
  const more = unresolved.length - SHOWN_LOST;
  return section(`${what} found so far; "${lsCommandLine(source)}" looks for more`, [
    ...unresolved
      .slice(0, SHOWN_LOST)
      .map(({ repository, digest }) => `${repository || '/'} ${digest}`),
    ...(more > 0 ? [`… and ${more} more: --json has them all`] : []),
  ]);
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
