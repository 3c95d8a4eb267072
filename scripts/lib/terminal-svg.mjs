// @ts-check
/**
 * Draw captured terminal output as an SVG: `node terminal-svg.mjs INPUT OUTPUT.svg`. Knows the few
 * SGR codes that scripts/demo writes (ECMA-48, section 8.3.117) and nothing else of terminals.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const COLUMNS = 100;
const CHARACTER = { width: 8.4, height: 18 };
const PADDING = 16;

/** @type {Record<string, string>} */
const CLASS_OF_SGR = { 1: 'bold', 2: 'dim', 32: 'green', 34: 'blue' };

const STYLE = `
  text { font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #d4d7dd; white-space: pre }
  .bold { font-weight: bold; fill: #fff }
  .dim { fill: #8b919b }
  .green { fill: #7fd88f }
  .blue { fill: #7db4ff }`;

/** @typedef {{ text: string, classes: string }} Span */

/**
 * One line as spans of one style each. `active` is carried from line to line.
 * @param {string} line
 * @param {Set<string>} active
 * @returns {Span[]}
 */
function spans(line, active) {
  const found = [];
  // Odd elements are the parameters of an SGR sequence.
  for (const [position, part] of line.split(/\x1b\[([\d;]*)m/).entries()) {
    if (position % 2 === 0) {
      if (part !== '') found.push({ text: part, classes: [...active].join(' ') });
      continue;
    }
    for (const code of part.split(';')) {
      const name = CLASS_OF_SGR[code];
      if (name === undefined) active.clear();
      else active.add(name);
    }
  }
  return found;
}

/**
 * Fold spans into rows of at most COLUMNS characters, as a terminal would.
 * @param {Span[]} line
 * @returns {Span[][]}
 */
function fold(line) {
  /** @type {Span[][]} */
  const rows = [[]];
  let column = 0;
  for (const { text, classes } of line) {
    let rest = [...text];
    while (rest.length > 0) {
      if (column === COLUMNS) {
        rows.push([]);
        column = 0;
      }
      const head = rest.slice(0, COLUMNS - column);
      rest = rest.slice(head.length);
      column += head.length;
      rows.at(-1)?.push({ text: head.join(''), classes });
    }
  }
  return rows;
}

/** @param {string} text */
function escape(text) {
  return text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const [input = '', output = ''] = process.argv.slice(2);
const active = new Set();
const rows = readFileSync(input, 'utf8')
  .trimEnd()
  .split('\n')
  .flatMap((line) => fold(spans(line.replaceAll('\r', ''), active)));

const width = Math.ceil(COLUMNS * CHARACTER.width) + 2 * PADDING;
const height = rows.length * CHARACTER.height + 2 * PADDING;
const texts = rows.map((row, position) => {
  const y = PADDING + (position + 0.75) * CHARACTER.height;
  const body = row.map(({ text, classes }) =>
    classes === '' ? escape(text) : `<tspan class="${classes}">${escape(text)}</tspan>`,
  );
  return body.length === 0 ? '' : `<text x="${PADDING}" y="${y}">${body.join('')}</text>\n`;
});
writeFileSync(
  output,
  `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<style>${STYLE}
</style>
<rect width="100%" height="100%" rx="8" fill="#1b1e24"/>
${texts.join('')}</svg>
`,
);
