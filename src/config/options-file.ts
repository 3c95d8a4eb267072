import { readFile } from 'node:fs/promises';
import { optionKey, suggestion } from './option-name.js';
import { type OptionName, optionNames } from './options.js';
import type { WrittenOptions } from './resolve.js';
import { UsageError } from './usage-error.js';

/** Options that only make sense where the command is typed. */
const NOT_IN_FILES: readonly OptionName[] = ['config', 'foreground'];

/**
 * The options in a YAML or JSON file (JSON is YAML): one mapping whose keys are the long flags
 * without dashes.
 * @throws UsageError when the file cannot be read, is no mapping, or has unknown keys
 */
export async function readOptionsFile(path: string): Promise<WrittenOptions> {
  const document = await parseFile(path);
  // An empty file (or one with comments only) sets nothing.
  if (document === null || document === undefined) return {};
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw new UsageError(`${path} must hold one mapping of options, such as "refresh: 5s".`);
  }
  const names = optionNames.filter((name) => !NOT_IN_FILES.includes(name));
  const nameOfKey = new Map(names.map((name) => [optionKey(name), name]));
  const written: WrittenOptions = {};
  for (const [key, value] of Object.entries(document)) {
    const name = nameOfKey.get(key);
    if (name === undefined) {
      throw new UsageError(
        `${path}: there is no option "${key}" for a file${suggestion(key, [...nameOfKey.keys()])}`,
      );
    }
    if (value !== null) written[name] = { value, origin: `${key} in ${path}` };
  }
  return written;
}

async function parseFile(path: string): Promise<unknown> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(
      `The configuration file ${path} cannot be read: ${(error as Error).message}.`,
      { cause: error },
    );
  }
  const { parse } = await import('yaml');
  try {
    return parse(content) as unknown;
  } catch (error) {
    throw new UsageError(`${path} is neither YAML nor JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
