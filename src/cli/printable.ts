/**
 * Text as it may be shown: names come from the bucket, and what could steer a terminal is shown as a
 * question mark. Lines stay lines.
 */
export function printable(text: string): string {
  return text.replace(/(?!\n)\p{Cc}/gu, '?');
}

/** As {@link printable}, for one line: a line break in a name is a question mark, too. */
export function printableLine(line: string): string {
  return line.replace(/\p{Cc}/gu, '?');
}
