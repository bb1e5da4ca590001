// The peers that the bench compares with: which there are, which can run here, their Python environment, and one run of
// a peer. They are the step scripts of peers/ (Keras, PyTorch, DistributedDataParallel, plain tfjs-node), or of another
// folder that has the like; each runs in a process of its own and prints one JSON line.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import util from 'node:util';
import { lastJson, runGroup } from './measuring.mjs';

const REPO = fileURLToPath(new URL('../..', import.meta.url));

/** Keeps freed memory in the process: otherwise glibc returns it, and PyTorch faults it in again at every step. */
export const TUNED_MALLOC = {
  MALLOC_TRIM_THRESHOLD_: '1000000000',
  MALLOC_MMAP_THRESHOLD_: '1000000000',
  MALLOC_TOP_PAD_: '100000000',
};

/** What the bench may have set for our own step and a peer must not inherit, for its figure would be another's. */
const NOT_INHERITED = [
  ...Object.keys(TUNED_MALLOC),
  'OMP_NUM_THREADS',
  'TF_ENABLE_ONEDNN_OPTS',
  'TF_NUM_INTEROP_THREADS',
  'TF_NUM_INTRAOP_THREADS',
];

/** tfjs-node calls this function, which Node 23 removed. */
const RESTORE_IS_NULL = "import util from 'node:util'; util.isNullOrUndefined = (value) => value == null;";
const NODE_ARGS = 'isNullOrUndefined' in util ? [] : ['--import', `data:text/javascript,${RESTORE_IS_NULL}`];

/**
 * @typedef {object} Peer
 * @property {string} id stable, e.g. `torch-tuned-2`: the kind and its threads
 * @property {string} label for tables
 * @property {string[]} command program and arguments, without the number of steps
 * @property {Record<string, string>} env what it needs on top of the inherited environment
 * @property {boolean} infers whether it also times the inference of 60,000 images
 *
 * @typedef {object} PeerRun
 * @property {string} label
 * @property {number} medianMs of the timed steps, as are the next two
 * @property {number} minMs
 * @property {number} maxMs
 * @property {number | null} inferSeconds for 60,000 images, the median of three passes; null when not timed
 * @property {Record<string, unknown>} raw the peer's own JSON line
 */

/** Every kind of peer. DDP gives its threads to as many processes of one thread each. */
function kinds(threads) {
  const on = `${threads} thread${threads === 1 ? '' : 's'}`;
  const by = `${threads} worker${threads === 1 ? '' : 's'}`;
  const t = ['--threads', `${threads}`];
  const w = ['--workers', `${threads}`];
  const rows = [
    ['keras', `Keras, ${on}`, 'step_keras.py', t],
    ['torch', `PyTorch as usually written, ${on}`, 'step_torch.py', t],
    ['torch-tuned', `PyTorch tuned fp32, ${on}`, 'step_torch.py', [...t, '--tuned']],
    ['ddp', `PyTorch DDP gloo, ${by}`, 'step_torch_ddp.py', w],
    ['ddp-tuned', `PyTorch DDP gloo tuned fp32, ${by}`, 'step_torch_ddp.py', [...w, '--tuned']],
    ['tfjs', `plain tfjs-node, ${on}`, 'step_tfjs.cjs', t],
  ];
  return rows.map(([kind, label, script, args]) => {
    const env = kind.endsWith('tuned') ? TUNED_MALLOC : {};
    return { kind, label, script, args, env, infers: !kind.startsWith('ddp') };
  });
}

/**
 * The peers that can run on this machine, and why the others cannot.
 * @param {object} [options]
 * @param {string} [options.dir] folder of the step scripts (default: peers/ beside this file)
 * @param {string} [options.nodeModules] where the tfjs peer finds tfjs-node (default: the repository's)
 * @param {number[]} [options.threads] a list of peers for each of these numbers of threads (default: [2])
 * @returns {Promise<{available: Peer[], missing: {label: string, why: string}[]}>}
 */
export async function findPeers({ dir, nodeModules, threads = [2] } = {}) {
  const folder = dir ? resolve(dir) : fileURLToPath(new URL('peers', import.meta.url));
  const modules = resolve(nodeModules ?? join(REPO, 'node_modules'));
  const python = peersPython();
  const available = [];
  const missing = [];
  for (const count of threads) {
    for (const { kind, label, script, args, env, infers } of kinds(count)) {
      const isPython = script.endsWith('.py');
      const why = lacking(join(folder, script), folder) ?? (isPython ? lackingPython(python) : lackingTfjs(modules));
      const command = [...(isPython ? [python] : [process.execPath, ...NODE_ARGS]), join(folder, script), ...args];
      // The folder is not ours: Python leaves no __pycache__ in it.
      const own = isPython ? { PYTHONDONTWRITEBYTECODE: '1' } : { NODE_PATH: modules };
      if (why) missing.push({ label, why });
      else available.push({ id: `${kind}-${count}`, label, command, env: { ...own, ...env }, infers });
    }
  }
  return { available, missing };
}

/**
 * The report's own code, in Keras.
 * @param {string} [dir] folder of the peers
 * @throws {Error} when it cannot run here
 */
export function seedScript(dir) {
  const folder = resolve(dir ?? join(REPO, '..', 'shared', 'peers'));
  const script = join(folder, 'keras_seed.py');
  const python = peersPython();
  const why = lacking(script, folder) ?? lackingPython(python);
  if (why) throw new Error(`the report's Keras code cannot run: ${why}`);
  return { python, script, env: { ...inherited(), PYTHONDONTWRITEBYTECODE: '1' } };
}

/** The environment without what is ours. */
export function inherited() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !NOT_INHERITED.includes(name)));
}

function lacking(file, folder) {
  if (!existsSync(folder)) return `there is no folder ${folder}; name the peers' folder with --peers DIR`;
  return existsSync(file) ? null : `there is no ${file}; is --peers the right folder?`;
}

function lackingPython(python) {
  return python ? null : 'its Python environment is not set up; run `npm run bench -- --setup-peers`';
}

function lackingTfjs(modules) {
  const lib = join(modules, '@tensorflow', 'tfjs-node', 'lib');
  const built = existsSync(lib) && readdirSync(lib).some((name) => existsSync(join(lib, name, 'tfjs_binding.node')));
  return built ? null : `tfjs-node's native library is not built in ${modules}; run \`node scripts/setup.mjs\``;
}

/**
 * One run of a peer in a fresh process.
 * @param {Peer} peer
 * @param {object} [options]
 * @param {number} [options.steps] timed steps
 * @param {number} [options.warmup] steps before them, not timed
 * @param {boolean} [options.infer] time the inference too, where the peer can
 * @param {number} [options.deadlineMs] for the whole process (default: three minutes and a second a step)
 * @returns {Promise<PeerRun>}
 * @throws {Error} when the peer does not start, fails, prints no figures or misses its deadline
 */
export async function runPeer(peer, { steps = 60, warmup = 10, infer = true, deadlineMs } = {}) {
  const [program, ...fixed] = peer.command;
  const args = [...fixed, '--steps', `${steps}`, '--warmup', `${warmup}`];
  if (peer.infers && !infer) args.push('--no-infer');
  const { output, errors, end } = await runGroup(program, args, {
    env: { ...inherited(), ...peer.env },
    deadlineMs: deadlineMs ?? 180_000 + 1_000 * (steps + warmup),
  });
  const raw = end === 'exit code 0' ? figuresIn(output) : null;
  if (!Number.isFinite(raw?.ms_median)) {
    const said = errors.trim().split('\n').slice(-15).join('\n') || 'nothing';
    throw new Error(`The peer "${peer.label}" gave no figures (${end}). Its last lines on stderr:\n${said}`);
  }
  const inferSeconds = raw.infer_60k_s ?? null;
  return { label: peer.label, medianMs: raw.ms_median, minMs: raw.ms_min, maxMs: raw.ms_max, inferSeconds, raw };
}

function figuresIn(output) {
  try {
    return lastJson(output);
  } catch {
    return null;
  }
}

// The Python environment of the peers: one venv in the per-user cache, marked complete by a stamp. Versions are pinned,
// not where they come from. On Linux, pip's default torch is the much larger CUDA build: point pip's own configuration
// to the CPU build first; the peers compute on the CPU with either.

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
