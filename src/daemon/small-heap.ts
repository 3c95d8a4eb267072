import { setFlagsFromString } from 'node:v8';

/** How much V8's heap may grow over what was in use before its garbage is looked for, in percent. */
const GROWTH = 60;

/**
 * Have V8 look for garbage before there is much of it. The bytes of blobs lie outside of its heap,
 * and little else is in use for long: left to itself V8 lets garbage grow to several times that,
 * which nobody could tell from memory beyond `--memory`.
 */
export function keepHeapSmall(): void {
  // V8 reads this flag whenever a collection ends, so it may be set while it runs.
  setFlagsFromString(`--heap-growing-percent=${GROWTH}`);
}
