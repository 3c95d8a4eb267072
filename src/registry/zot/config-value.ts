import { ZotConfigError } from '../errors.js';

/**
 * A section of a zot configuration. Names are compared without regard to case, as zot's reader
 * (https://github.com/spf13/viper) does. Messages name settings and never their values: some of
 * these are secrets.
 */
export class ConfigSection {
  readonly #values = new Map<string, unknown>();

  constructor(
    value: object,
    /** For messages, e.g. `storage.storageDriver`; empty for the whole file. */
    private readonly path: string,
    private readonly file: string,
  ) {
    for (const [name, member] of Object.entries(value)) {
      if (member !== null && member !== undefined) this.#values.set(name.toLowerCase(), member);
    }
  }

  /** Names of the section's members, in lower case. */
  names(): string[] {
    return [...this.#values.keys()];
  }

  /** @throws ZotConfigError when the member is there and no section. */
  section(name: string): ConfigSection | undefined {
    const value = this.#values.get(name.toLowerCase());
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.error(name, 'must be an object');
    }
    return new ConfigSection(value, this.#pathOf(name), this.file);
  }

  /** Undefined also for an empty string. @throws ZotConfigError when it is no text. */
  text(name: string): string | undefined {
    const value = this.#values.get(name.toLowerCase());
    if (value === undefined || value === '') return undefined;
    if (typeof value !== 'string' || value.includes('\0')) throw this.error(name, 'must be text');
    return value;
  }

  /** Also the words that Go's `strconv.ParseBool` takes. @throws ZotConfigError when it is neither. */
  flag(name: string): boolean | undefined {
    const value = this.#values.get(name.toLowerCase());
    if (value === undefined || typeof value === 'boolean') return value;
    const word = typeof value === 'string' ? value.toLowerCase() : JSON.stringify(value);
    if (['1', 't', 'true'].includes(word)) return true;
    if (['0', 'f', 'false'].includes(word)) return false;
    throw this.error(name, 'must be true or false');
  }

  error(name: string, complaint: string): ZotConfigError {
    return new ZotConfigError(`${this.#pathOf(name)} in ${this.file} ${complaint}.`);
  }

  #pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }
}
