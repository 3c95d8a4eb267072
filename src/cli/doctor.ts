import { resolve } from 'node:path';
import { currentUser, defaultStateDir } from '../config/directories.js';
import type { Options } from '../config/options.js';
import { openSource } from '../daemon/open-source.js';
import { Counters } from '../observe/counters.js';
import { silentLog } from '../observe/log.js';
import { isStoreError, type StoreErrorCode } from '../store/errors.js';
import { examineHost } from './doctor-host.js';
import { examineStore } from './doctor-store.js';
import { EXIT, type ExitCode } from './exit-code.js';
import { fail, type Finding, type FindingSection, ok, renderFindings, warn } from './finding.js';
import type { CommandContext } from './program.js';

/** Run the command. What it finds is its output: nothing about host or source is thrown. */
export async function doctor(
  { terminal }: CommandContext,
  source: string | undefined,
  options: Options,
  { json }: { json: boolean },
): Promise<ExitCode> {
  const stateDir = resolve(
    options.stateDir ?? defaultStateDir(terminal.environment, currentUser()),
  );
  const sections: FindingSection[] = [
    { title: 'This host', findings: await examineHost(stateDir) },
  ];
  const named = source ?? options.zotConfig;
  if (named !== undefined) {
    sections.push({
      title: `The source ${named}`,
      findings: await examineSource(source, options, stateDir),
    });
  }
  const mountable = sections.every(({ findings }) =>
    findings.every(({ state }) => state !== 'fail'),
  );
  const report = json
    ? `${JSON.stringify({ mountable, sections }, null, 2)}\n`
    : renderFindings(sections, terminal.colours);
  terminal.out(report);
  return mountable ? EXIT.done : EXIT.failed;
}

/** What a failed opening says about, by the store's error. */
const CHECK_OF: Partial<Record<StoreErrorCode, string>> = {
  Unreachable: 'reachable',
  Timeout: 'reachable',
  Unavailable: 'reachable',
  BadCredentials: 'credentials',
  AccessDenied: 'credentials',
  NoSuchBucket: 'bucket',
};

/** A registry was found there, so the rest of what could be wrong is not. */
function reached(name: string): string {
  return name.startsWith('s3:')
    ? `${name} answers, the bucket exists and the credentials are good.`
    : `${name} answers.`;
}

async function examineSource(
  source: string | undefined,
  options: Options,
  stateDir: string,
): Promise<Finding[]> {
  let opened;
  try {
    const context = { stateDir, log: silentLog, counters: new Counters() };
    opened = await openSource({ source, options, ...context });
  } catch (error) {
    const check = isStoreError(error) ? (CHECK_OF[error.code] ?? 'store') : 'source';
    return [fail(check, (error as Error).message)];
  }
  try {
    const findings = [
      ok('reachable', reached(opened.name)),
      ok('layout', `It is ${opened.registry.description}.`),
      ...opened.warnings.map((warning) => warn('layout', warning)),
    ];
    for (const place of opened.places) findings.push(...(await examineStore(place)));
    return findings;
  } catch (error) {
    return [fail('store', (error as Error).message)];
  } finally {
    await opened.close();
  }
}
