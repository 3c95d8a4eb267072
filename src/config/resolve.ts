import { readEnvironment } from './environment.js';
import { readOptionsFile } from './options-file.js';
import { optionKey } from './option-name.js';
import { type OptionName, type Options, optionNames, optionsSchema } from './options.js';
import { UsageError } from './usage-error.js';

/** A value as somebody wrote it, and where, for the message when it is wrong. */
export interface WrittenOption {
  readonly value: unknown;
  /** E.g. `--refresh`, `LAYOUTFS_REFRESH`, `refresh in /etc/layoutfs.yaml`. */
  readonly origin: string;
}

/** What one place (the command line, the environment, a file) says; each place may be silent. */
export type WrittenOptions = Partial<Record<OptionName, WrittenOption>>;

/**
 * All options, each from the first place that names it: the command line, the environment, the
 * file named by `--config` or `LAYOUTFS_CONFIG`, the default.
 * @throws UsageError naming the place of the first wrong value
 */
export async function resolveOptions(
  commandLine: WrittenOptions,
  environment: NodeJS.ProcessEnv,
): Promise<Options> {
  const places = [commandLine, readEnvironment(environment)];
  const config = places.map((place) => place.config).find((written) => written !== undefined);
  if (config !== undefined) {
    const path = checkOption('config', config);
    if (path !== undefined) places.push(await readOptionsFile(path));
  }
  const values = optionNames.map((name) => {
    const written = places.map((place) => place[name]).find((one) => one !== undefined);
    return [name, checkOption(name, written)];
  });
  return Object.fromEntries(values) as Options;
}

/** The checked value of one option; its default when nobody wrote one. */
function checkOption<Name extends OptionName>(
  name: Name,
  written: WrittenOption | undefined,
): Options[Name] {
  const result = optionsSchema.shape[name].safeParse(written?.value);
  if (result.success) return result.data as Options[Name];
  const reason = result.error.issues[0]?.message ?? 'wrong';
  const shown = JSON.stringify(written?.value);
  throw new UsageError(`${written?.origin ?? optionKey(name)}: ${shown} is ${reason}.`);
}
