/**
 * @typedef {object} Case
 * @property {string} name
 * @property {number[]} figures one per repeat
 *
 * @typedef {object} Measurement
 * @property {string} name
 * @property {string} unit
 * @property {Case[]} cases the first is what the others are compared with
 */

/**
 * The middle figure; the mean of the two middle ones for an even count.
 * @param {readonly number[]} figures
 */
export function median(figures) {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

/**
 * A table for people: median, range and ratio to the first case.
 * @param {Measurement} measurement
 */
export function report({ name, unit, cases }) {
  const base = median(cases[0].figures);
  const lines = cases.map((one) => {
    const middle = median(one.figures);
    const range = `${Math.min(...one.figures).toFixed(0)}-${Math.max(...one.figures).toFixed(0)}`;
    return [
      `  ${one.name.padEnd(36)}`,
      `${middle.toFixed(0).padStart(8)} ${unit}`,
      `(${range})`.padEnd(14),
      `ratio ${(middle / base).toFixed(2)}`,
    ].join('  ');
  });
  return [`${name} (medians of ${cases[0].figures.length})`, ...lines].join('\n');
}
