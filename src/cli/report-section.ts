import { styleText } from 'node:util';
import { printableLine } from './printable.js';

/** One group of findings of a report for people. */
export interface ReportSection {
  /** `bad`: damage. `warn`: no damage yet. `note`: for information. */
  readonly state: 'bad' | 'warn' | 'note';
  /** What was found, with its number in front, without a full stop. */
  readonly title: string;
  /** What to do about it; without entries, one sentence without a full stop. */
  readonly advice?: string;
  /** One entry of one or more lines for each thing found. */
  readonly entries: readonly (readonly string[])[];
}

/** Entries shown of a group, unless all are asked for. */
const SHOWN = 10;

const MARKS = {
  bad: ['✗', 'red'],
  warn: ['!', 'yellow'],
  note: ['-', 'dim'],
} as const;

/** Sections with their entries indented below, the first few of long lists. */
export function renderSections(
  sections: readonly ReportSection[],
  { all, colours }: { readonly all: boolean; readonly colours: boolean },
): string {
  let text = '';
  for (const section of sections) {
    const lines = renderSection(section, all);
    // Notes are one line each, and stand together.
    if (text !== '' && (section.state !== 'note' || !text.endsWith('.\n'))) text += '\n';
    text += `${mark(section.state, colours)} ${lines.map(printableLine).join('\n')}\n`;
  }
  return text;
}

function renderSection({ title, advice, entries }: ReportSection, all: boolean): string[] {
  if (entries.length === 0) return [advice === undefined ? `${title}.` : `${title}. ${advice}.`];
  const shown = all || entries.length <= SHOWN + 1 ? entries : entries.slice(0, SHOWN);
  const more = entries.length - shown.length;
  return [
    `${title}:`,
    ...(advice === undefined ? [] : [`  ${advice}`]),
    ...shown.flatMap((entry) => entry.map((line) => `    ${line}`)),
    ...(more === 0 ? [] : [`    … and ${count(more, 'more')} (--all shows them)`]),
  ];
}

function mark(state: ReportSection['state'], colours: boolean): string {
  const [sign, colour] = MARKS[state];
  // Colours were decided on by the terminal; styleText would look at another stream.
  return colours ? styleText(colour, sign, { validateStream: false }) : sign;
}

/** `1 blob`, `1,234 blobs`. */
export function count(number: number, one: string, several = one): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? one : several}`;
}

/** At most `shown` of `names` on one line, and how many there are beyond. */
export function someOf(names: readonly string[], all: boolean, shown = 5): string {
  if (all || names.length <= shown + 1) return names.join(', ');
  return `${names.slice(0, shown).join(', ')} and ${names.length - shown} more`;
}
