// Starting other programs during set-up: each with a deadline, its output kept for the error message.

import { spawn } from 'node:child_process';

const OUTPUT_KEPT = 16_384; // characters

/** A failure the user can do something about: printed as it is, without a stack. */
export class SetupError extends Error {}

/** Something came that is not what was asked for: whoever sent it may mean harm, so set-up tries no other way. */
export class WrongContentError extends SetupError {}

/**
 * Runs a program to its end.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ seconds: number, name?: string, cwd?: string, env?: NodeJS.ProcessEnv, shell?: boolean }} options
 *   `seconds`: its deadline; `name`: what messages call it
 * @returns {Promise<void>}
 * @throws {SetupError} if it cannot be started, fails or is still running at its deadline
 */
export function run(program, args, { seconds, name = program, ...options }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    let late = false;
    const keep = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk).slice(-OUTPUT_KEPT);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
      // Grandchildren may hold the pipes open: do not wait for them.
      child.stdout.destroy();
      child.stderr.destroy();
    }, seconds * 1000);
    const fail = (/** @type {string} */ why) => reject(new SetupError(`${name} ${why}`));
    child.on('error', (error) => {
      clearTimeout(timer);
      fail(`could not be started (${error.message})`);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (late) fail(`was still running after ${seconds} s`);
      else if (code === 0) resolve();
      else fail(`failed (${signal ?? `exit ${code}`}): ${tellingLines(output)}`);
    });
  });
}

/** The lines that say why a program failed, as far as can be told. @param {string} output */
function tellingLines(output) {
  const lines = output.split('\n').map((line) => line.trim().slice(0, 240));
  const errors = lines.filter((line) => /error[: ]|no module|not found|no space|denied/i.test(line));
  return (errors.length > 0 ? errors.slice(0, 3) : lines.filter(Boolean).slice(-3)).join(' | ') || 'no output';
}

/**
 * @param {readonly (readonly string[])[]} candidates command lines, best first
 * @param {readonly string[]} args what makes each of them exit 0 at once
 * @returns {Promise<(readonly string[])[]>} those that this machine has
 */
export async function available(candidates, args) {
  const answers = await Promise.allSettled(
    candidates.map(([program, ...rest]) => run(/** @type {string} */ (program), [...rest, ...args], { seconds: 30 })),
  );
  return candidates.filter((_, index) => answers[index]?.status === 'fulfilled');
}
