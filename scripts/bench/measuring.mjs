// What all benchmarks share: medians, rounds, and child processes that end together with all that they started.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { completed } from '../environment.mjs';

export const LAUNCHER = fileURLToPath(new URL('../pseudolabel.mjs', import.meta.url));
const KEPT_CHARACTERS = 65_536;
const SIGNALS = ['SIGINT', 'SIGTERM'];

/** Of sorted values, the one at a share (0 to 1) of them. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))];
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/**
 * Measures every contestant in every round. Each round begins with another, so that none always runs on a machine that
 * has just been idle. @param {(contestant: T, round: number) => unknown} measure round: from 1 @template T
 */
export async function inTurns(contestants, rounds, measure) {
  for (let round = 1; round <= rounds; round++) {
    for (let i = 0; i < contestants.length; i++) await measure(contestants[(i + round) % contestants.length], round);
  }
}

/**
 * Runs one of our measuring programs in a process of its own, and returns what it wrote.
 * @param {string} script in this folder
 */
export async function ours(script, ...args) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const options = { env: completed(process.env), deadlineMs: 600_000 };
  return outputOf(process.execPath, [path, ...args.map(String)], options);
}

/** As runGroup(), but throws unless the program ends with exit code 0. @returns {Promise<string>} */
export async function outputOf(program, args, options) {
  const { output, errors, end } = await runGroup(program, args, options);
  if (end !== 'exit code 0') throw new Error(`${args[0]}: ${end}\n${errors}`);
  return output;
}

/** The last line of JSON that a program wrote. */
export const lastJson = (output) => JSON.parse(output.split('\n').findLast((line) => line.startsWith('{')) ?? 'null');

/**
 * Runs a program to its end. Its whole group is killed when it ends, misses the deadline, or the bench itself is
 * ended: what a peer started must not go on computing under the next measurement.
 * @param {string} program
 * @param {string[]} args
 * @param {{env: Record<string, string | undefined>, deadlineMs: number}} options
 * @returns {Promise<{output: string, errors: string, end: string}>} the last 64 K characters of stdout and stderr, and
 *   how it ended: `exit code 0` or what went wrong; never rejects
 */
export function runGroup(program, args, { env, deadlineMs }) {
  return new Promise((done) => {
    // Detached makes it the leader of a group of its own.
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const output = keepEnd(child.stdout);
    const errors = keepEnd(child.stderr);

    const killGroup = () => {
      if (child.pid !== undefined) killQuietly(-child.pid);
    };
    const interrupted = (_signal, number) => {
      killGroup();
      process.exit(128 + number);
    };
    const finish = (end) => {
      clearTimeout(timer);
      for (const signal of SIGNALS) process.off(signal, interrupted);
      process.off('exit', killGroup);
      child.stdout.destroy();
      child.stderr.destroy();
      done({ output: output.end, errors: errors.end, end });
    };

    for (const signal of SIGNALS) process.on(signal, interrupted);
    process.on('exit', killGroup);
    const timer = setTimeout(() => {
      killGroup();
      finish(`no end within ${deadlineMs / 1000} s`);
    }, deadlineMs);
    child.on('error', (error) => finish(error.message));
    // The pipes close once nobody holds them: first those that the program left behind have to go.
    child.on('exit', killGroup);
    child.on('close', (code, signal) => finish(signal ?? `exit code ${code}`));
  });
}

/**
 * Starts one of our commands, such as a worker.
 * @param {readonly string[]} args
 * @param {{spawn?: typeof spawn, env?: Record<string, string>}} [options] spawn: that of another host
 */
export function started(args, { spawn: spawnThere = spawn, env = {} } = {}) {
  const child = spawnThere(process.execPath, [LAUNCHER, ...args.map(String)], {
    env: { ...completed(process.env), ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const exit = new Promise((resolve) => child.on('close', resolve));
  return {
    child,
    /** Resolves when it has ended; throws unless with exit code 0. */
    async ended() {
      const code = await exit;
      if (code !== 0) throw new Error(`${args[0]} ended with ${code}:\n${said}`);
    },
    /** Resolves with the first match in a whole line of its stderr. @param {RegExp} pattern */
    says(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(said);
          if (found && said.indexOf('\n', found.index) > 0) resolve(pattern.exec(said));
        };
        child.stderr.on('data', look);
        child.on('exit', () => reject(new Error(`${args[0]} ended:\n${said}`)));
        look();
      });
    },
  };
}

function keepEnd(stream) {
  const kept = { end: '' };
  stream.setEncoding('utf8').on('data', (text) => {
    kept.end = (kept.end + text).slice(-KEPT_CHARACTERS);
  });
  return kept;
}

function killQuietly(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
}
