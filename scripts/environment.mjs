// The environment every run of this project starts in. TensorFlow, oneDNN and glibc read these variables once, when the process starts,
// so whoever starts one (launcher, tests, benchmarks) passes them down.
//
// What the native libraries read may change the bits of a run, so that the user's own settings of this kind are ignored, and named. They
// are told by their prefixes: a list of names would be out of date with the next version of a library.

/** @type {ReadonlyArray<readonly [name: string, value: string, reason: string]>} */
const PINNED = [
  [
    'TF_NUM_INTRAOP_THREADS',
    '1',
    'one thread inside an operation: parallelism comes from workers, and sums keep their order',
  ],
  ['TF_NUM_INTEROP_THREADS', '1', 'operations run one after another, so a pool for running several only costs threads'],
  ['TF_ENABLE_ONEDNN_OPTS', '1', 'the same kernels on every processor that has them'],
];

/** A value that the user has set wins: these change no bits. @type {typeof PINNED} */
const DEFAULTS = [
  ['TF_CPP_MIN_LOG_LEVEL', '3', 'errors only: no start-up lines about the processor'],
  [
    'MALLOC_TRIM_THRESHOLD_',
    '1000000000',
    'freed tensors stay with the process instead of being faulted in again each step',
  ],
  ['MALLOC_MMAP_THRESHOLD_', '1000000000', 'large tensors come from the kept heap, not from a fresh mapping each time'],
  ['MALLOC_TOP_PAD_', '67108864', 'the heap grows in steps of 64 MiB: fewer system calls while a run warms up'],
];

const NUMERICS = /^(TF|TENSORFLOW|XLA|DNNL|ONEDNN|MKL|OMP|KMP|GOMP|EIGEN)_/;
/** Of these names, what only logs, and what Terraform reads. */
const HARMLESS = /^TF_CPP_|_VERBOSE$|^TF_(LOG|CLI|VAR|TOKEN)(_|$)/;

/** What the command line is told of variables that were ignored, by their names. */
const IGNORED = 'PSEUDOLABEL_IGNORED';

/**
 * The user's settings that could change the bits of a run, in order.
 * @param {NodeJS.ProcessEnv} env
 */
export function ignored(env) {
  const pinned = new Map(PINNED.map(([name, value]) => [name, value]));
  return Object.keys(env)
    .filter((name) => NUMERICS.test(name) && !HARMLESS.test(name) && env[name] !== pinned.get(name))
    .sort();
}

/**
 * @param {NodeJS.ProcessEnv} env the environment as it is
 * @returns {NodeJS.ProcessEnv} that of a run: the tables, and of the user's own whatever changes no bits
 */
export function completed(env) {
  const names = ignored(env);
  const kept = Object.entries(env).filter(([name]) => !names.includes(name) && name !== IGNORED);
  return {
    ...Object.fromEntries(DEFAULTS),
    ...Object.fromEntries(kept),
    ...Object.fromEntries(PINNED),
    ...(names.length > 0 && { [IGNORED]: names.join(' ') }),
  };
}

/** Whether it is that of a run already, so that no new process is needed. @param {NodeJS.ProcessEnv} env */
export function isComplete(env) {
  return ignored(env).length === 0 && [...PINNED, ...DEFAULTS].every(([name]) => env[name] !== undefined);
}

/**
 * Makes the environment of a process that runs already that of a run, for a native library that is not loaded yet. What glibc reads is
 * left out: it has done so.
 * @param {NodeJS.ProcessEnv} env
 */
export function pin(env) {
  for (const name of ignored(env)) delete env[name];
  for (const [name, value] of PINNED) env[name] = value;
  env.TF_CPP_MIN_LOG_LEVEL ??= '3';
}

/** Whether what computes with it has the bits of a run. @param {NodeJS.ProcessEnv} env */
export function isPinned(env) {
  return ignored(env).length === 0 && PINNED.every(([name]) => env[name] !== undefined);
}
