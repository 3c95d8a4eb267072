import picomatch from 'picomatch';
import { UsageError } from './usage-error.js';

/**
 * Which repositories are shown: those that an include glob matches (all, when there is none) and
 * no exclude glob does. A glob is compared with the whole name: `*` stays within one component,
 * `**` does not, and `team/**` matches `team` itself too.
 */
export class RepositoryFilter {
  readonly #includes: readonly Glob[];
  readonly #excludes: readonly Glob[];

  /** @throws UsageError for a glob that cannot match any repository name */
  constructor({
    include = [],
    exclude = [],
  }: {
    include?: readonly string[];
    exclude?: readonly string[];
  } = {}) {
    this.#includes = include.map((pattern) => compileGlob(pattern, '--include'));
    this.#excludes = exclude.map((pattern) => compileGlob(pattern, '--exclude'));
  }

  /** Whether this repository is shown. The empty name is the repository at the root itself. */
  accepts(repository: string): boolean {
    const included =
      this.#includes.length === 0 || this.#includes.some((glob) => glob.matches(repository));
    return included && !this.#excludes.some((glob) => glob.matches(repository));
  }

  /**
   * Whether a repository that is shown could lie below `directory`. May err towards yes, so that
   * nothing is hidden by mistake.
   */
  mayContain(directory: string): boolean {
    const included =
      this.#includes.length === 0 || this.#includes.some((glob) => glob.mayMatchBelow(directory));
    return included && !this.#excludes.some((glob) => glob.matchesAllBelow(directory));
  }
}

interface Glob {
  matches(name: string): boolean;
  mayMatchBelow(directory: string): boolean;
  matchesAllBelow(directory: string): boolean;
}

/** A plain layout may begin with a dot or an exclamation mark: both are ordinary characters here. */
const OPTIONS = { dot: true, nonegate: true } as const;

function compileGlob(pattern: string, origin: string): Glob {
  if (pattern === '' || pattern.startsWith('/') || pattern.endsWith('/')) {
    throw new UsageError(
      `${origin}: "${pattern}" cannot match: repository names do not begin or end with a slash.`,
    );
  }
  const matches = picomatch(pattern, OPTIONS);
  const components = splitComponents(pattern);
  return {
    matches,
    mayMatchBelow: (directory) =>
      components === undefined || prefixMatches(components, componentsOf(directory)),
    // `x/**` matches all below a directory exactly when it matches the directory: no other form
    // of glob is recognised as matching everything.
    matchesAllBelow: (directory) =>
      pattern === '**' || (pattern.endsWith('/**') && directory !== '' && matches(directory)),
  };
}

const componentsOf = (name: string) => (name === '' ? [] : name.split('/'));

/**
 * Whether a name longer than `directory` could match: component by component, as far as the
 * directory goes, unless a `**` comes first.
 */
function prefixMatches(pattern: readonly string[], directory: readonly string[]): boolean {
  for (const [position, component] of directory.entries()) {
    const wanted = pattern[position];
    if (wanted === undefined) return false;
    if (wanted.includes('**')) return true;
    if (!picomatch.isMatch(component, wanted, OPTIONS)) return false;
  }
  return pattern.length > directory.length;
}

/** The glob's components; undefined when a slash stands within brackets, so none can be told. */
function splitComponents(pattern: string): readonly string[] | undefined {
  const components = pattern.split('/');
  const balanced = components.every((component) =>
    ['{}', '()', '[]'].every(
      ([open = '', close = '']) => component.split(open).length === component.split(close).length,
    ),
  );
  return balanced ? components : undefined;
}
