// Runs everything that must hold, fast things first, stopping after the first group that fails: types and style beside the first
// group of tests, then the other groups, all in the environment that runs have. Its last line is the count, alone:
// `N passed, N failed`. Arguments are passed to vitest.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { completed } from './environment.mjs';

const CHECKS = [
  ['typescript/bin/tsc', '--noEmit'],
  ['typescript/bin/tsc', '--noEmit', '-p', 'test'],
  ['@biomejs/biome/bin/biome', 'ci', '--error-on-warnings', '.'],
];
/** Folders in test/ with their options. Files without processes, threads or sockets take turns in one process: most of their time is its start. */
const GROUPS = [
  ['unit', '--no-isolate'],
  ['numerics', '--no-isolate'],
  ['integration'],
  ['contract'],
  ['convergence'],
  ['e2e'],
];

const root = fileURLToPath(new URL('..', import.meta.url));

/** @typedef {{ passed: number, failed: number, skipped: number }} Count */

/**
 * @param {readonly string[]} command a script in node_modules and its arguments
 * @param {'inherit' | 'pipe'} output pipe: shown in one piece when the command has ended
 * @returns {Promise<boolean>} whether it succeeded
 */
function succeeds([script = '', ...args], output) {
  const title = `\n> ${[script.split('/').at(-1), ...args].join(' ')}`;
  if (output === 'inherit') console.log(title);
  return new Promise((resolve, reject) => {
    const program = [join(root, 'node_modules', script), ...args];
    const stdio = /** @type {const} */ (['inherit', output, output]);
    const child = spawn(process.execPath, program, { cwd: root, stdio, env: completed(process.env) });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        said += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => {
      if (output === 'pipe') console.log(`${title}\n${said}`.trimEnd());
      resolve(code === 0);
    });
  });
}

/** Types and style. @returns {Promise<Count>} */
async function runChecks() {
  const results = await Promise.all(CHECKS.map((check) => succeeds(check, 'pipe')));
  return { passed: 0, failed: results.filter((succeeded) => !succeeded).length, skipped: 0 };
}

/**
 * Runs one group of tests.
 * @param {string} group folder in test/
 * @param {readonly string[]} flags for vitest
 * @param {string} report file for vitest's result
 * @returns {Promise<Count>} a test file that could not be loaded counts as a failure
 */
async function runGroup(group, flags, report) {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const options = ['run', '--dir', `test/${group}`, '--passWithNoTests', ...flags, ...reporters];
  const ok = await succeeds(['vitest/vitest.mjs', ...options, ...process.argv.slice(2)], 'inherit');
  const result = readResult(report);
  const passed = result?.numPassedTests ?? 0;
  const failed = (result?.numFailedTests ?? 0) + (result?.testResults ?? []).filter(isBrokenFile).length;
  const skipped = (result?.numPendingTests ?? 0) + (result?.numTodoTests ?? 0);
  return { passed, failed: ok ? failed : Math.max(failed, 1), skipped };
}

/** @param {{ status: string, assertionResults: { status: string }[] }} file */
function isBrokenFile(file) {
  return file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed');
}

/** @param {string} report */
function readResult(report) {
  try {
    return JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return undefined; // no tests, or vitest ended before it could write: its exit code tells which
  }
}

/** @returns {Promise<Count>} */
async function runAll() {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const folder = mkdtempSync(join(tmpdir(), 'pseudolabel-test-'));
  try {
    for (const [i, [group = '', ...flags]] of GROUPS.entries()) {
      const running = [runGroup(group, flags, join(folder, `${group}.json`)), ...(i === 0 ? [runChecks()] : [])];
      for (const count of await Promise.all(running)) {
        total.passed += count.passed;
        total.failed += count.failed;
        total.skipped += count.skipped;
      }
      if (total.failed > 0) break;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return total;
}

const { passed, failed, skipped } = await runAll();
if (passed + failed === 0) console.error('\nno test ran');
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = passed > 0 && failed === 0 ? 0 : 1;
