import { writeFile } from 'node:fs/promises';
import { PACES } from '../origin/start.mjs';
import { chart } from './chart.mjs';
import { compareFaults, faultsMarkdown } from './faults.mjs';
import { measureReading, PHASES } from './measure.mjs';
import { markdown } from './table.mjs';

/** Comparisons with other programs that mount buckets; see `scripts/bench`. */
export const COMPARISONS = {
  reading: {
    about: 'reading large blobs and an image: layoutfs and every peer on PATH, taking turns',
    async run({ repeats, paces, phases, contenders, svg, progress }) {
      const comparisons = [];
      for (const pace of paces) {
        progress(`${pace}: ${PACES[pace].about}`);
        comparisons.push(await measureReading({ repeats, pace, phases, contenders, progress }));
      }
      if (svg) await writeFile(svg, chart(comparisons[0]));
      return { text: comparisons.map(markdown).join('\n\n'), json: comparisons };
    },
  },
  faults: {
    about: 'what readers get of a store or a cache with faults: layoutfs and every peer on PATH',
    async run({ contenders, progress }) {
      const results = await compareFaults({ contenders, progress });
      return { text: faultsMarkdown(results), json: results };
    },
  },
};

export const COMPARISON_OPTIONS = {
  pace: { type: 'string', multiple: true, default: ['paced'] },
  phase: { type: 'string', multiple: true },
  program: { type: 'string', multiple: true },
  svg: { type: 'string' },
};

export const COMPARISON_USAGE = `Of comparisons, which want root:
  --pace PACE   how the store behaves; may be repeated (default: paced):
${Object.entries(PACES)
  .map(([name, { about }]) => `                ${name}: ${about}`)
  .join('\n')}
  --phase NAME  only this of ${PHASES.join(', ')}; may be repeated
  --program P   only this program; may be repeated
  --svg FILE    draw the first pace
`;

/** What is wrong with the options, if anything. */
export function comparisonProblem({ pace, phase }) {
  const wrong = pace.find((one) => !(one in PACES)) ?? phase?.find((one) => !PHASES.includes(one));
  return wrong === undefined ? undefined : `There is no pace or phase ${wrong}.`;
}
