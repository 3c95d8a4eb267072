import { type Command, Option } from 'commander';
import { environmentName, optionKey } from '../config/option-name.js';
import {
  type OptionName,
  type OptionNote,
  type OptionScope,
  optionNames,
  optionNote,
} from '../config/options.js';
import type { WrittenOptions } from '../config/resolve.js';

/** Headings of the help, most particular first. */
const GROUPS: Readonly<Record<OptionScope, string>> = {
  mount: 'Mount options:',
  cache: 'Cache options:',
  source: 'Source options:',
  every: 'Options:',
};

/** Give `command` the flags of all options of these scopes. */
export function addOptions(command: Command, scopes: readonly OptionScope[]): Command {
  for (const name of optionNames) {
    const note = optionNote(name);
    if (!scopes.includes(note.scope)) continue;
    command.addOption(flagOption(name, note));
    if (note.value === undefined) {
      command.addOption(new Option(`--no-${optionKey(name)}`).hideHelp());
    }
  }
  return command;
}

function flagOption(name: OptionName, note: OptionNote): Option {
  const short = note.short === undefined ? '' : `-${note.short}, `;
  const value = note.value === undefined ? '' : ` <${note.value}>`;
  const facts = [
    note.repeatable === true ? 'repeatable' : undefined,
    note.default === undefined ? undefined : `default: ${note.default}`,
    `env: ${environmentName(name)}`,
  ].filter((fact) => fact !== undefined);
  const description = `${note.description} (${facts.join(', ')})`.replaceAll('`', '');
  const option = new Option(`${short}--${optionKey(name)}${value}`, description);
  if (note.repeatable === true) {
    option.argParser((one: string, earlier: readonly string[] | undefined) => [
      ...(earlier ?? []),
      one,
    ]);
  }
  return option.helpGroup(GROUPS[note.scope]);
}

/** The options that were given as flags, and only those. */
export function writtenFlags(command: Command): WrittenOptions {
  const values: Record<string, unknown> = command.opts();
  const written: WrittenOptions = {};
  for (const name of optionNames) {
    if (command.getOptionValueSource(name) !== 'cli') continue;
    written[name] = { value: values[name], origin: `--${optionKey(name)}` };
  }
  return written;
}
