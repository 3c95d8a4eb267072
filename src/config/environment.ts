import { environmentName } from './option-name.js';
import { optionNames, optionNote } from './options.js';
import type { WrittenOptions } from './resolve.js';

/**
 * The options that `LAYOUTFS_…` variables set. An empty variable counts as absent; several values
 * of one option are separated by spaces. Unknown variables are left alone: Kubernetes puts
 * `LAYOUTFS_SERVICE_HOST` and the like there for a service of our name.
 */
export function readEnvironment(environment: NodeJS.ProcessEnv): WrittenOptions {
  const written: WrittenOptions = {};
  for (const name of optionNames) {
    const variable = environmentName(name);
    const value = environment[variable];
    if (value === undefined || value === '') continue;
    const values = optionNote(name).repeatable === true ? value.trim().split(/\s+/) : value;
    written[name] = { value: values, origin: variable };
  }
  return written;
}
