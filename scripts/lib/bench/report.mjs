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

/** Small figures with a decimal. @param {number} figure */
function written(figure) {
  return figure >= 10 || Number.isInteger(figure) ? figure.toFixed(0) : figure.toFixed(1);
}

/** What is said of one case. @param {Case} one @param {number} base median of the first case */
function columns(one, base) {
  const middle = median(one.figures);
  return {
    middle: written(middle),
    range: `${written(Math.min(...one.figures))}-${written(Math.max(...one.figures))}`,
    ratio: base === 0 ? '' : (middle / base).toFixed(2),
  };
}

/**
 * A table for people: median, range and ratio to the first case.
 * @param {Measurement} measurement
 */
export function report({ name, unit, cases }) {
  const base = median(cases[0].figures);
  const lines = cases.map((one) => {
    const { middle, range, ratio } = columns(one, base);
    return [
      `  ${one.name.padEnd(36)}`,
      `${middle.padStart(8)} ${unit}`,
      `(${range})`.padEnd(14),
      ratio === '' ? '' : `ratio ${ratio}`,
    ].join('  ');
  });
  return [`${name} (medians of ${cases[0].figures.length})`, ...lines].join('\n');
}

/**
 * The same as rows of one Markdown table.
 * @param {readonly Measurement[]} measurements
 */
export function reportMarkdown(measurements) {
  const rows = measurements.flatMap(({ name, unit, cases }) => {
    const base = median(cases[0].figures);
    return cases.map((one, index) => {
      const { middle, range, ratio } = columns(one, base);
      return `| ${index === 0 ? name : ''} | ${one.name} | ${middle} ${unit} | ${range} | ${ratio} |`;
    });
  });
  const head = ['| measurement | case | median | range | ratio |', '|---|---|---:|---:|---:|'];
  return [...head, ...rows].join('\n');
}
