/** pino's level numbers (https://getpino.io/#/docs/api?id=loggerlevels-object) as syslog severities. */
const SEVERITY: Readonly<Record<number, number>> = { 20: 7, 30: 6, 40: 4, 50: 3 };

/** The same as words of equal width. */
const WORD: Readonly<Record<number, string>> = {
  20: 'debug',
  30: 'info ',
  40: 'warn ',
  50: 'error',
};

/** Fields that every line has and that are shown elsewhere. */
const STANDARD = new Set(['level', 'time', 'msg', 'pid', 'hostname', 'v']);

interface Line {
  readonly level: number;
  readonly time: number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

/** One of pino's JSON lines for a person at a terminal: time, level, sentence, fields. */
export function formatForPerson(json: string): string {
  const line = JSON.parse(json) as Line;
  const time = new Date(line.time).toISOString().slice(11, 23);
  return `${time} ${WORD[line.level] ?? 'info '} ${sentence(line)}\n`;
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
