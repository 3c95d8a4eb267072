import { expect, it } from 'vitest';
import { examineNode } from './doctor-host.js';
import { fail, ok, renderFindings, warn } from './finding.js';

const sections = [
  { title: 'This host', findings: [ok('node', 'Fine.'), fail('transport', 'Missing.')] },
  { title: 'The source x', findings: [warn('list', 'Refused.')] },
];

it('findings are marked lines below titles', () => {
  expect(renderFindings(sections, false)).toBe(
    'This host\n  ✓ node: Fine.\n  ✗ transport: Missing.\n\nThe source x\n  ! list: Refused.\n',
  );
});

it('a hint follows the findings', () => {
  const [section] = sections;
  if (section === undefined) throw new Error('There is no section.');
  expect(renderFindings([{ ...section, hint: 'Do this.' }], false)).toMatch(
    /transport: Missing\.\n {2}Do this\.\n$/,
  );
});

it('only the marks are coloured', () => {
  expect(renderFindings(sections, true)).toContain('  \u001B[32m✓\u001B[39m node: Fine.\n');
});

it.each([
  ['18.20.0', 'fail'],
  ['20.18.3', 'fail'],
  ['20.19.0', 'ok'],
  ['22.0.0', 'ok'],
])('Node %s: %s', (version, state) => {
  expect(examineNode(version).state).toBe(state);
});
