import { cell } from './table.mjs';
import { LINES } from './lines.mjs';

const SHOWN = [
  ['cold', 'first read of 1 GiB'],
  ['its pages dropped', 'again'],
  ['after a remount', 'after a remount'],
  ['8 readers of 8 blobs', '8 readers at once'],
  ['skopeo, cold', 'skopeo copy, first'],
  ['skopeo, again', 'skopeo copy, again'],
];
const COLOURS = ['#0969da', '#9a6700', '#8250df', '#1a7f37', '#cf222e', '#57606a'];
const BAR = 16;
const LEFT = 150;
const WIDTH = 760;
const MOST = 470;

/**
 * Bars, one group for each line that people ask about; in each group the longest is the best, and
 * lengths are relative to it.
 * @param {import('./table.mjs').Comparison} comparison
 */
export function chart(comparison) {
  const names = comparison.names.slice(1);
  let y = 34;
  const parts = [];
  names.forEach((name, i) => {
    const x = LEFT + i * 110;
    parts.push(
      `<rect x="${x}" y="8" width="12" height="12" fill="${COLOURS[i % COLOURS.length]}"/>`,
      `<text x="${x + 18}" y="18">${name}</text>`,
    );
  });
  for (const [line, label] of SHOWN) {
    const figures = names.map((name) => cell(comparison, line, name));
    const present = figures.filter((figure) => figure !== undefined);
    if (present.length === 0) continue;
    const { unit, better } = LINES[line];
    const speed = (figure) => (better === 'more' ? figure : 1 / figure);
    const best = Math.max(...present.map(speed));
    parts.push(`<text x="${LEFT - 10}" y="${y + 12}" text-anchor="end">${label}</text>`);
    figures.forEach((figure, i) => {
      if (figure === undefined) return;
      const width = Math.max(1, (speed(figure) / best) * MOST);
      parts.push(
        `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR - 3}" fill="${COLOURS[i % COLOURS.length]}"/>`,
        `<text x="${(LEFT + width + 6).toFixed(1)}" y="${y + 11}" class="figure">${figure.toFixed(0)} ${unit}</text>`,
      );
      y += BAR;
    });
    y += 12;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-label="Reading speed of layoutfs and its peers">`,
    '<style>text{font:12px system-ui,sans-serif;fill:#57606a}.figure{font-size:11px}</style>',
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}
