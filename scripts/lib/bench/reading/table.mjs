import { median } from '../report.mjs';
import { LINES } from './lines.mjs';

/**
 * @typedef {object} Comparison
 * @property {string} pace
 * @property {number} repeats
 * @property {string[]} names columns; the first is no contender but the local disk
 * @property {Record<string, Record<string, number[]>>} figures by line and column
 */

const OURS = 'layoutfs';

/** Median of a cell, or undefined. */
export function cell({ figures }, line, name) {
  const all = figures[line]?.[name];
  return all && all.length > 0 ? median(all) : undefined;
}

/** How many times as good we are as the best of the peers; above 1 is better. */
export function ratioToBestPeer(comparison, line) {
  const ours = cell(comparison, line, OURS);
  const [local, ...others] = comparison.names;
  const peers = others
    .filter((name) => name !== OURS && name !== local)
    .map((name) => cell(comparison, line, name))
    .filter((figure) => figure !== undefined);
  if (ours === undefined || peers.length === 0) return undefined;
  return LINES[line].better === 'more' ? ours / Math.max(...peers) : Math.min(...peers) / ours;
}

/** How many times as good we are as the local disk. */
export function ratioToLocal(comparison, line) {
  const ours = cell(comparison, line, OURS);
  const local = cell(comparison, line, comparison.names[0]);
  if (ours === undefined || local === undefined) return undefined;
  return LINES[line].better === 'more' ? ours / local : local / ours;
}

/** The comparison as a Markdown table. */
export function markdown(comparison) {
  const { names, figures, pace, repeats } = comparison;
  const lines = Object.keys(LINES).filter((line) => figures[line] !== undefined);
  const row = (cells) => `| ${cells.join(' | ')} |`;
  const show = (line, name) => {
    const figure = cell(comparison, line, name);
    if (figure === undefined) return '';
    const { digits = 0 } = LINES[line];
    const all = figures[line][name];
    const range = `${Math.min(...all).toFixed(digits)}-${Math.max(...all).toFixed(digits)}`;
    return all.length > 1 ? `${figure.toFixed(digits)} (${range})` : figure.toFixed(digits);
  };
  const ratio = (figure) =>
    figure === undefined || !Number.isFinite(figure) ? '' : figure.toFixed(2);
  return [
    `${pace}, medians of ${repeats} (range); × is how many times as good layoutfs is`,
    '',
    row(['', ...names, '× best peer', '× local disk']),
    row(['---', ...names.map(() => '--:'), '--:', '--:']),
    ...lines.map((line) =>
      row([
        LINES[line].unit && !line.includes(LINES[line].unit)
          ? `${line}, ${LINES[line].unit}`
          : line,
        ...names.map((name) => show(line, name)),
        ratio(ratioToBestPeer(comparison, line)),
        ratio(ratioToLocal(comparison, line)),
      ]),
    ),
  ].join('\n');
}
