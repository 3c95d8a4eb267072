import { styleText } from 'node:util';

/** One thing that `doctor` looked at. */
export interface Finding {
  /** What was looked at, in a few words. */
  readonly check: string;
  /** `fail`: a mount would fail. `warn`: it works, but not everything does. */
  readonly state: 'ok' | 'warn' | 'fail';
  /** What was found and, unless all is well, what to do: full sentences. */
  readonly message: string;
}

export interface FindingSection {
  readonly title: string;
  readonly findings: readonly Finding[];
  /** What to do next, a full sentence. */
  readonly hint?: string;
}

const MARKS = {
  ok: ['✓', 'green'],
  warn: ['!', 'yellow'],
  fail: ['✗', 'red'],
} as const;

/** One line for each finding, below the titles of their sections. */
export function renderFindings(sections: readonly FindingSection[], colours: boolean): string {
  return sections
    .map(({ title, findings, hint }) => {
      const lines = findings.map(({ check, state, message }) => {
        const [mark, colour] = MARKS[state];
        // Colours were decided on by the terminal; styleText would look at another stream.
        const shown = colours ? styleText(colour, mark, { validateStream: false }) : mark;
        return `  ${shown} ${check}: ${message}\n`;
      });
      return `${title}\n${lines.join('')}${hint === undefined ? '' : `  ${hint}\n`}`;
    })
    .join('\n');
}

export const ok = (check: string, message: string): Finding => ({ check, state: 'ok', message });
export const warn = (check: string, message: string): Finding => ({
  check,
  state: 'warn',
  message,
});
export const fail = (check: string, message: string): Finding => ({
  check,
  state: 'fail',
  message,
});
