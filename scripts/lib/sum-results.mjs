// @ts-check
/**
 * Sum vitest's JSON results: `node sum-results.mjs FILE... [--failed=WHAT]...`, where each WHAT is
 * something else that failed. Prints what failed, passed only at its second try or did not run, then
 * `N passed, N failed`; exits 1 if anything failed.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';

/**
 * What we read of vitest's JSON reporter (https://vitest.dev/guide/reporters#json-reporter).
 * A test that passed at its second try has the messages of the first.
 * @typedef {{ status: string, fullName: string, failureMessages: string[] }} Assertion
 * @typedef {{ name: string, status: string, message?: string, assertionResults: Assertion[] }} File
 * @typedef {{ success?: boolean, testResults?: File[] }} Result
 */

const { positionals: files, values } = parseArgs({
  allowPositionals: true,
  options: { failed: { type: 'string', multiple: true, default: [] } },
});
let passed = 0;
let failed = values.failed.length;
let skipped = 0;
for (const what of values.failed) console.log(`failed: ${what}`);

for (const file of files) {
  const project = basename(file, '.json');
  /** @type {Result} */
  const { success = false, testResults = [] } = JSON.parse(readFileSync(file, 'utf8'));
  const failedBefore = failed;
  for (const { name, status, message, assertionResults } of testResults) {
    const failedHere = assertionResults.filter((test) => test.status === 'failed');
    const passedHere = assertionResults.filter((test) => test.status === 'passed');
    passed += passedHere.length;
    failed += failedHere.length;
    skipped += assertionResults.length - passedHere.length - failedHere.length;
    for (const { fullName } of failedHere) console.log(`failed: ${project}: ${fullName}`);
    for (const { fullName, failureMessages } of passedHere) {
      if (failureMessages.length === 0) continue;
      console.log(`passed at its second try: ${project}: ${fullName}`);
      console.log(indent(failureMessages.join('\n')));
    }
    // A file that cannot be loaded, or whose hooks fail, has no failed test of its own.
    if (status === 'failed' && failedHere.length === 0) {
      failed += 1;
      console.log(`failed: ${project}: ${name}: ${message?.split('\n')[0] ?? ''}`);
    }
  }
  // No results, no tests found, or an error outside any test.
  if (!success && failed === failedBefore) {
    failed += 1;
    console.log(`failed: ${project}: vitest ended with an error; see its output above.`);
  }
}

/** @param {string} text */
function indent(text) {
  return text.replace(/^/gm, '    ');
}

if (skipped > 0) console.log(`${skipped} not run`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
