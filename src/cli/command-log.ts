import type { Options } from '../config/options.js';
import { type Log, silentLog } from '../observe/log.js';

/** Commands print their own results; their log is for `--log-level debug` alone. */
export async function commandLog(options: Options): Promise<Log> {
  if (options.logLevel !== 'debug') return silentLog;
  const { openLogger } = await import('../daemon/logger.js');
  return (await openLogger({ destination: 'stderr', level: 'debug' })).log;
}
