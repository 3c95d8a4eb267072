// Its small form: a mount waits for the schemas to be made, and these are made in a third of the time.
import * as z from 'zod/mini';
import { parseByteSize } from './byte-size.js';
import { parseDuration } from './duration.js';

/**
 * The types of option values. Each takes the text that a flag or a variable carries and what a
 * YAML or JSON file may hold instead. Error messages complete the sentence `<value> is …`.
 */

const NOT_A_DURATION = 'not a duration: write a number and a unit, such as 500ms, 5s or 2m';
const NOT_A_SIZE = 'not a size: write a number and a unit, such as 64MiB or 1GiB';

/** A number that is written as text, or as a number of YAML. */
const written = (parse: (text: string) => number | undefined, error: string) =>
  z.pipe(
    z.union([z.string(), z.number()], { error }),
    z.transform((value: string | number, context): number => {
      const parsed = parse(String(value));
      if (parsed !== undefined) return parsed;
      context.issues.push({ code: 'custom', message: error, input: value });
      return z.NEVER;
    }),
  );

/** Milliseconds from `5s`, `500ms`, `2m`, `1h`. */
export const duration = written(parseDuration, NOT_A_DURATION);

/** Bytes from `64MiB`, `1GB` or a plain number. */
export const byteSize = written(parseByteSize, NOT_A_SIZE);

/** Less would not hold one part of a blob for each of a few readers. */
const LEAST_MEMORY = 8 * 1024 ** 2;

/** Bytes of a memory budget. */
export const memorySize = byteSize.check(
  z.refine(
    (bytes) => bytes >= LEAST_MEMORY,
    'too little memory to serve blobs with: give at least 8MiB',
  ),
);

/** Fewer could be held by readers that wait for something else. */
const LEAST_CONNECTIONS = 4;

/** How many sockets a store may have; more than a server takes from one client makes no sense. */
export const connectionCount = z.coerce
  .number('not a number of connections')
  .check(
    z.int('not a whole number'),
    z.minimum(LEAST_CONNECTIONS, 'too few connections: give at least 4'),
    z.maximum(1024, 'too many connections: give at most 1024'),
  );

/** True or false, also as the words people use for them. */
export const toggle = z.union([z.boolean(), z.stringbool()], {
  error: 'neither true nor false',
});

/** A user or group number. The largest is not one: (uid_t)-1 means "leave unchanged". */
export const userNumber = z.coerce
  .number('not a user or group number')
  .check(
    z.int('not a whole number'),
    z.minimum(0, 'not a user or group number'),
    z.maximum(0xff_ff_ff_fe, 'not a user or group number'),
  );

const NOT_A_UMASK = 'not a mask of permissions: write octal digits, such as 027';

/** Permission bits from octal digits, as umask(1) takes them; a number of YAML by its digits. */
export const permissionMask = written(parseMask, NOT_A_UMASK);

function parseMask(digits: string): number | undefined {
  const mask = /^[0-7]{1,4}$/.test(digits) ? Number.parseInt(digits, 8) : Infinity;
  return mask <= 0o777 ? mask : undefined;
}

/** Non-empty text. */
export const text = z.string('not text').check(z.minLength(1, 'empty'));

/** One text or several. */
export const textList = z.readonly(
  z.union(
    [
      z.pipe(
        text,
        z.transform((one: string) => [one]),
      ),
      z.array(text),
    ],
    { error: 'not a list of texts' },
  ),
);
