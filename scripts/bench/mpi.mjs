// The benchmark of MPI: a fine-tune step by two ranks of one worker, cut into rows (summed in the tree of the shards, and in MPI's own order) and
// into hidden units, against one process of one worker, interleaved. Figures are best deciles: what else the machine does only adds to them.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { completed } from '../environment.mjs';

const STEP = fileURLToPath(new URL('mpi-step.mjs', import.meta.url));
const MPIRUN = ['mpirun', '--oversubscribe', '-np', '2'];

const CONTESTANTS = [
  { label: 'one process, one worker, data parallel', command: [], how: 'data' },
  { label: '2 ranks data parallel, in the tree of the shards', command: MPIRUN, how: 'data' },
  { label: '2 ranks data parallel, --fast-sum', command: MPIRUN, how: 'any' },
  { label: 'one process, one worker, tensor parallel', command: [], how: 'tensor' },
  { label: '2 ranks tensor parallel', command: MPIRUN, how: 'tensor' },
];

/** @param {{ rounds: number }} options */
export function benchMpi({ rounds }) {
  const found = CONTESTANTS.map(() => ({ step: [], first: [], second: [] }));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < CONTESTANTS.length; i++) {
      const which = (i + round) % CONTESTANTS.length;
      for (const [part, times] of Object.entries(measured(CONTESTANTS[which]))) found[which][part].push(...times);
    }
  }
  const alone = Object.fromEntries(
    CONTESTANTS.flatMap(({ command, how }, i) => (command.length > 0 ? [] : [[how, bestDecile(found[i].step)]])),
  );
  console.log('ms, best decile; data parallel gradients and update, tensor parallel forward and backward passes');
  console.log(`${''.padEnd(43)}   step   first  second  of one worker`);
  for (const [i, { label, how }] of CONTESTANTS.entries()) {
    const [step, first, second] = ['step', 'first', 'second'].map((part) => bestDecile(found[i][part]));
    const figures = [step, first, second].map((time) => time.toFixed(1).padStart(6));
    const ratio = (step / (alone[how] ?? alone.data)).toFixed(2);
    console.log(`${label.padEnd(43)} ${figures.join('  ')}  ${ratio}`);
  }
}

function measured({ command, how }) {
  const [program, ...args] = [...command, process.execPath, STEP, how];
  const root = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  const { status, stdout, stderr } = spawnSync(program, args, {
    env: { ...completed(process.env), ...root },
    encoding: 'utf8',
    timeout: 600_000,
  });
  if (status !== 0) throw new Error(`${how}: exit code ${status}\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

const bestDecile = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 10)];
