// The benchmark of MPI: a fine-tune step by two ranks of one worker, summed in the tree of the shards and in MPI's own order, against one
// process of one worker, interleaved. Figures are best deciles: what else the machine does only adds to them.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { completed } from '../environment.mjs';

const STEP = fileURLToPath(new URL('mpi-step.mjs', import.meta.url));
const MPIRUN = ['mpirun', '--oversubscribe', '-np', '2'];

const CONTESTANTS = [
  { label: 'one process, one worker', command: [], order: 'alone' },
  { label: '2 ranks, in the tree of the shards', command: MPIRUN, order: 'tree' },
  { label: '2 ranks, --fast-sum', command: MPIRUN, order: 'any' },
];

/** @param {{ rounds: number }} options */
export function benchMpi({ rounds }) {
  const found = CONTESTANTS.map(() => ({ gradients: [], update: [] }));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < CONTESTANTS.length; i++) {
      const which = (i + round) % CONTESTANTS.length;
      const { gradients, update } = measured(CONTESTANTS[which]);
      found[which].gradients.push(...gradients);
      found[which].update.push(...update);
    }
  }
  console.log('ms, best decile      step  gradients  update');
  for (const [i, { label }] of CONTESTANTS.entries()) {
    const { gradients, update } = found[i];
    const step = gradients.map((time, s) => time + update[s]);
    const figures = [step, gradients, update].map((times) => bestDecile(times).toFixed(1).padStart(6));
    console.log(`${label.padEnd(36)} ${figures.join('  ')}`);
  }
}

function measured({ command, order }) {
  const [program, ...args] = [...command, process.execPath, STEP, order];
  const root = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  const { status, stdout, stderr } = spawnSync(program, args, {
    env: { ...completed(process.env), ...root },
    encoding: 'utf8',
    timeout: 600_000,
  });
  if (status !== 0) throw new Error(`${order}: exit code ${status}\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

const bestDecile = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 10)];
