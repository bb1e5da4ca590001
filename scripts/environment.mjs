// The environment every run of this project starts in. TensorFlow and glibc read these variables once, when the process
// starts, so whoever starts one (launcher, tests, benchmarks) passes them down. A value the user has set always wins.

/** @type {ReadonlyArray<readonly [name: string, value: string, reason: string]>} */
export const ENVIRONMENT = [
  [
    'TF_NUM_INTRAOP_THREADS',
    '1',
    'one thread inside an operation: parallelism comes from workers, and sums keep their order',
  ],
  ['TF_NUM_INTEROP_THREADS', '1', 'operations run one after another, so a pool for running several only costs threads'],
  ['TF_CPP_MIN_LOG_LEVEL', '3', 'errors only: no start-up lines about the processor'],
  [
    'TF_ENABLE_ONEDNN_OPTS',
    '1',
    'the same kernels on every processor that has them; bfloat16 products exist only there',
  ],
  [
    'MALLOC_TRIM_THRESHOLD_',
    '1000000000',
    'freed tensors stay with the process instead of being faulted in again each step',
  ],
  ['MALLOC_MMAP_THRESHOLD_', '1000000000', 'large tensors come from the kept heap, not from a fresh mapping each time'],
  ['MALLOC_TOP_PAD_', '67108864', 'the heap grows in steps of 64 MiB: fewer system calls while a run warms up'],
];

/**
 * @param {NodeJS.ProcessEnv} env the environment as it is
 * @returns {NodeJS.ProcessEnv} the same with every unset variable of the table added
 */
export function completed(env) {
  return { ...Object.fromEntries(ENVIRONMENT), ...env };
}

/** Whether nothing of the table is missing, so that no new process is needed. @param {NodeJS.ProcessEnv} env */
export function isComplete(env) {
  return ENVIRONMENT.every(([name]) => env[name] !== undefined);
}
