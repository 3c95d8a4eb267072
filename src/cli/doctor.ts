import { resolve } from 'node:path';
import { currentUser, defaultStateDir } from '../config/directories.js';
import type { Options } from '../config/options.js';
import { type OpenedSource, openSource } from '../daemon/open-source.js';
import { Counters } from '../observe/counters.js';
import { silentLog } from '../observe/log.js';
import { isStoreError, type StoreErrorCode } from '../store/errors.js';
import { commandLine } from './command-hint.js';
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
  const cacheDir = options.cacheDir === undefined ? undefined : resolve(options.cacheDir);
  const sections: FindingSection[] = [
    { title: 'This host', findings: await examineHost(stateDir, cacheDir) },
  ];
  const named = source ?? options.zotConfig;
  if (named !== undefined) {
    const examined = await examineSource(source, options, stateDir);
    sections.push({ title: `The source ${named}`, ...examined });
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

/** An answered LIST shows that the bucket exists and who asks is known; a refused one does not. */
function reached({ name, registry }: OpenedSource): string {
  return name.startsWith('s3:') && registry.listable
    ? `${name} answers, the bucket exists and the credentials are good.`
    : `${name} answers.`;
}

function layoutFindings({ registry, warnings }: OpenedSource): Finding[] {
  const { recognised, description } = registry;
  const findings = warnings.map((warning) => warn('layout', warning));
  if (recognised) return [ok('layout', `It is ${description}.`), ...findings];
  if (findings.length > 0) return findings;
  return [warn('layout', `No repository was seen so far; it would be read as ${description}.`)];
}

/** Placeholders without bytes are found by a listing of everything, which is not done here. */
function lostHint(
  { registry }: OpenedSource,
  named: string,
  findings: readonly Finding[],
): string | undefined {
  const readable = findings.some(({ check, state }) => check === 'read' && state !== 'fail');
  if (registry.kind === 'plain' || !registry.recognised || !readable) return undefined;
  return `To check for lost blobs: ${commandLine('check', named)}`;
}

async function examineSource(
  source: string | undefined,
  options: Options,
  stateDir: string,
): Promise<Pick<FindingSection, 'findings' | 'hint'>> {
  let opened;
  try {
    const context = { stateDir, log: silentLog, counters: new Counters() };
    opened = await openSource({ source, options, ...context });
  } catch (error) {
    const check = isStoreError(error) ? (CHECK_OF[error.code] ?? 'store') : 'source';
    return { findings: [fail(check, (error as Error).message)] };
  }
  try {
    const findings = [ok('reachable', reached(opened)), ...layoutFindings(opened)];
    for (const place of opened.places) findings.push(...(await examineStore(place)));
    const hint = lostHint(opened, source ?? `zot-config:${options.zotConfig ?? ''}`, findings);
    return { findings, ...(hint !== undefined && { hint }) };
  } catch (error) {
    return { findings: [fail('store', (error as Error).message)] };
  } finally {
    await opened.close();
  }
}
