// Owns a measured child process and all that it starts: one process group, one deadline, ended together.

import { spawn } from 'node:child_process';

const KEPT_CHARACTERS = 65_536;
const SIGNALS = ['SIGINT', 'SIGTERM'];

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
