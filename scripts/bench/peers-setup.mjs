// Owns the Python environment of the bench's peers: one venv in the per-user cache, marked complete by a stamp.
// Versions are pinned, not where they come from. On Linux, pip's default torch is the much larger CUDA build:
// point pip's own configuration to the CPU build first; the peers compute on the CPU with either.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const PINS = ['tensorflow-cpu==2.15.0', 'torch==2.13.0', 'numpy<2'];
const STAMP = `${PINS.join('\n')}\n`;
const INTERPRETERS = ['python3.11', 'python3'];
/** TensorFlow 2.15 has no wheel for a later Python, torch 2.13 none for an earlier one. */
const SUPPORTED = ['3.10', '3.11'];

const PROBE_DEADLINE_MS = 120_000;
const INSTALL_DEADLINE_MS = 3_600_000;

const home = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pseudolabel', 'peers');
const venvPython = join(home, 'venv', 'bin', 'python');
const stampFile = join(home, 'stamp');

/** The interpreter of the complete environment, or null when it was never finished, is outdated or lost its Python. */
export function peersPython() {
  const complete = existsSync(venvPython) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === STAMP;
  return complete ? venvPython : null;
}

/**
 * Builds the environment unless it is complete, and returns its interpreter.
 * @param {(line: string) => void} [log]
 * @returns {string}
 * @throws {Error} when no supported Python is found or a step of the installation fails; the message says what to do
 */
export function setupPeers(log = console.error) {
  const ready = peersPython();
  if (ready) {
    log(`The peers' Python environment is ready: ${home}`);
    return ready;
  }
  const base = findPython();
  log(`Making the peers' Python environment in ${home} (${base}; ${PINS.join(', ')}; 2 GB on disk) ...`);
  // The stamp is written last: whatever interrupts the build, the next set-up starts afresh.
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  run(base, ['-m', 'venv', join(home, 'venv')], 'Install the venv module of this Python (Debian: python3-venv).');
  run(
    venvPython,
    ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--only-binary=:all:', ...PINS],
    "See pip's message above; check the network and pip's configuration, then run the set-up again.",
  );
  run(venvPython, ['-c', 'import numpy, tensorflow, torch'], 'These wheels do not load on this machine.');
  writeFileSync(stampFile, STAMP);
  log(`The peers' Python environment is ready: ${home}`);
  return venvPython;
}

function findPython() {
  const script = 'import sys; print("%d.%d" % sys.version_info[:2])';
  const found = INTERPRETERS.map((name) => {
    const { stdout } = spawnSync(name, ['-c', script], { encoding: 'utf8', timeout: PROBE_DEADLINE_MS });
    return { name, version: stdout?.trim() || 'not found' };
  });
  const fit = found.find(({ version }) => SUPPORTED.includes(version));
  if (fit) return fit.name;
  const seen = found.map(({ name, version }) => `${name}: ${version}`).join(', ');
  throw new Error(`The peers need Python ${SUPPORTED.join(' or ')} (${seen}). Install it as python3.11 on the PATH.`);
}

/** Runs one step of the installation with its output shown on stderr: stdout is the bench's own. */
function run(command, args, fix) {
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' };
  const result = spawnSync(command, args, { env, stdio: ['ignore', 2, 2], timeout: INSTALL_DEADLINE_MS });
  if (result.status === 0) return;
  const how = result.error?.message ?? result.signal ?? `exit code ${result.status}`;
  throw new Error(`Setting up the peers failed (${how}): ${command} ${args.join(' ')}\n${fix}`);
}
