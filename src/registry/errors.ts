/**
 * Why a source cannot be opened as a registry. All are mistakes in what was asked for (exit code
 * 2), and each message says what to do.
 */
export class SourceRefusedError extends Error {
  override readonly name: string = 'SourceRefusedError';
}

/** Layouts lie both below the given prefix and below its doubled form; `--root` must choose. */
export class AmbiguousRootError extends SourceRefusedError {
  override readonly name = 'AmbiguousRootError';

  constructor(
    store: string,
    /** The roots to choose from, without trailing slash; `/` for the whole store. */
    readonly roots: readonly string[],
  ) {
    super(
      `Repositories of ${store} lie below each of several possible roots. Name the right one with ` +
        `${roots.map((root) => `--root ${root}`).join(' or ')}.`,
    );
  }
}

/** The explicit root holds nothing. */
export class RootNotFoundError extends SourceRefusedError {
  override readonly name = 'RootNotFoundError';
}

/** The source holds something that is no registry we can read. */
export class NotARegistryError extends SourceRefusedError {
  override readonly name = 'NotARegistryError';
}

/** A zot configuration that cannot be followed. */
export class ZotConfigError extends SourceRefusedError {
  override readonly name = 'ZotConfigError';
}
