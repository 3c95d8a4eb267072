/** Our levels as syslog severities (sd-daemon(3)). */
const SEVERITY: Readonly<Record<string, number>> = { debug: 7, info: 6, warn: 4, error: 3 };

/** Letters of the longest level's name. */
const LEVEL_WIDTH = 5;

/** Fields that every line has and that are shown elsewhere. */
const STANDARD = new Set(['level', 'time', 'msg', 'pid', 'hostname', 'v']);

interface Line {
  readonly level: string;
  /** ISO 8601. */
  readonly time: string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

/** One of pino's JSON lines for a person at a terminal: time, level, sentence, fields. */
export function formatForPerson(json: string): string {
  const line = JSON.parse(json) as Line;
  const time = line.time.slice(11, 23);
  return `${time} ${line.level.padEnd(LEVEL_WIDTH)} ${sentence(line)}\n`;
}

/**
 * One of pino's JSON lines for the journal: its level as the `<N>` prefix of sd-daemon(3), no time,
 * since the journal has its own.
 */
export function formatForJournal(json: string): string {
  const line = JSON.parse(json) as Line;
  return `<${SEVERITY[line.level] ?? 6}>${sentence(line)}\n`;
}

function sentence(line: Line): string {
  const fields = Object.entries(line)
    .filter(([name]) => !STANDARD.has(name))
    .map(([name, value]) => ` ${name}=${fieldText(value)}`);
  // A line break would begin a second entry, without its level.
  return `${line.msg ?? ''}${fields.join('')}`.replace(/\s*\n\s*/g, ' | ');
}

function fieldText(value: unknown): string {
  if (typeof value === 'string')
    return /[\s"=]/.test(value) || value === '' ? JSON.stringify(value) : value;
  if (isError(value)) return JSON.stringify(value.message);
  return JSON.stringify(value);
}

/** As pino's serializer leaves an error. */
function isError(value: unknown): value is { message: string } {
  return typeof value === 'object' && value !== null && 'stack' in value && 'message' in value;
}
