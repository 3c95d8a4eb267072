import type { Counters } from '../observe/counters.js';
import { silentLog, type Log } from '../observe/log.js';
import { DEFAULT_CONNECTIONS, withBudget } from './budget.js';
import { withCounting } from './counting.js';
import { withDeadline, type Deadline } from './deadline.js';
import { LocalStore } from './local/local-store.js';
import { withLogging } from './logging.js';
import type { WritableObjectStore } from './object-store.js';
import type { S3Access } from './s3/access.js';
import type { Source } from './source.js';

export interface OpenOptions {
  readonly deadline?: Deadline;
  readonly counters?: Counters;
  readonly log?: Log;
  /** Sockets, and requests under way, at most. */
  readonly connections?: number;
  /** For a bucket whose credentials a registry's configuration names. */
  readonly access?: S3Access;
}

/** Long enough for the SDK's three attempts at a slow server, short enough for a waiting reader. */
export const DEFAULT_DEADLINE: Deadline = { requestMs: 30_000, idleMs: 20_000 };

/**
 * The store of `source`, with deadlines, a budget, counters and logging around the driver. Makes no
 * request, so whether the bucket exists shows at the first one.
 * @throws SourceError when the source's certificate file cannot be used.
 */
export async function openStore(
  source: Source,
  options: OpenOptions = {},
): Promise<WritableObjectStore> {
  const { deadline = DEFAULT_DEADLINE, counters, log = silentLog } = options;
  const { connections = DEFAULT_CONNECTIONS, access } = options;
  const driver = await openDriver(source, connections, access);
  const store = withBudget(withLogging(withDeadline(driver, deadline), log), connections);
  return counters === undefined ? store : withCounting(store, counters);
}

async function openDriver(
  source: Source,
  connections: number,
  access?: S3Access,
): Promise<WritableObjectStore> {
  if (source.kind === 'file') return new LocalStore(source);
  const { S3Store } = await import('./s3/s3-store.js');
  return S3Store.open(source, { connections, ...(access !== undefined && { access }) });
}
