// The benchmark of MPI: a fine-tune step by two ranks of one worker, data parallel (summed in the tree of the shards,
// and in MPI's own order) and tensor parallel, against one process of one worker, interleaved. Figures are best
// deciles: other work of the machine only adds to them. As a program, one contestant, whose rank 0 prints one JSON
// line: [mpirun -np 2] node mpi.mjs data|any|tensor [STEPS] [WARMUP]

import { argv, env, execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { asRank } from '../../dist/coordinator/commands/mpi.js';
import { openSession } from '../../dist/coordinator/compose.js';
import { Terminal } from '../../dist/coordinator/terminal/terminal.js';
import { rankOf } from '../../dist/src/collectives/mpi.js';
import { completed } from '../environment.mjs';
import { fineTune, resolved, watchPhases } from './fine-tune.mjs';
import { inTurns, lastJson, outputOf, quantile } from './measuring.mjs';

const SELF = fileURLToPath(import.meta.url);
const MPIRUN = ['mpirun', '--oversubscribe', '-np', '2'];

const CONTESTANTS = [
  { label: 'one process, one worker, data parallel', command: [], how: 'data' },
  { label: '2 ranks data parallel, in the tree of the shards', command: MPIRUN, how: 'data' },
  { label: '2 ranks data parallel, --fast-sum', command: MPIRUN, how: 'any' },
  { label: 'one process, one worker, tensor parallel', command: [], how: 'tensor' },
  { label: '2 ranks tensor parallel', command: MPIRUN, how: 'tensor' },
];

/** @param {{ rounds: number }} options */
export async function benchMpi({ rounds }) {
  const entries = CONTESTANTS.map((contestant) => ({ ...contestant, step: [], first: [], second: [] }));
  await inTurns(entries, rounds, async (entry) => {
    for (const [part, times] of Object.entries(await measured(entry))) entry[part].push(...times);
  });
  const best = (times) => quantile(times, 0.1);
  const alone = Object.fromEntries(
    entries.filter(({ command }) => command.length === 0).map(({ how, step }) => [how, best(step)]),
  );
  console.log('ms, best decile; data parallel gradients and update, tensor parallel forward and backward passes');
  console.log(`${''.padEnd(48)}   step   first  second  of one worker`);
  for (const { label, how, ...times } of entries) {
    const figures = ['step', 'first', 'second'].map((part) => best(times[part]).toFixed(1).padStart(6));
    const ratio = (best(times.step) / (alone[how] ?? alone.data)).toFixed(2);
    console.log(`${label.padEnd(48)} ${figures.join('  ')}  ${ratio}`);
  }
}

async function measured({ command, how }) {
  const [program, ...args] = [...command, execPath, SELF, how];
  const root = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  return lastJson(await outputOf(program, args, { env: { ...completed(env), ...root }, deadlineMs: 600_000 }));
}

/**
 * Two shards, by one process of one worker, or by the ranks of mpirun, of one worker each. any: summed in MPI's order.
 */
async function measure(how, steps, warmup) {
  const context = {
    terminal: new Terminal(process.stdout, process.stderr, env),
    signal: new AbortController().signal,
  };
  const flags = rankOf(env) === undefined ? {} : { collective: 'mpi', workers: 1 };
  const strategy = how === 'tensor' ? 'tensor' : 'data';
  await asRank(flags, context, async (collective) => {
    const run = await resolved({ workers: 1, shards: 2, strategy, ...(how === 'any' && { fastSum: true }) });
    const spent = { gradients: [], update: [], forward: [], backward: [] };
    const timed = (executor) => {
      watchPhases(executor, (phase, milliseconds) => spent[phase].push(milliseconds));
      return executor;
    };
    const place = collective ? { kind: 'mpi', collective, allowMixed: false } : { kind: 'threads' };
    const session = await openSession([run], place, timed);
    const { model, step: doStep } = fineTune(run, session.dispatcher);
    await session.dispatcher.label(model);
    const whole = [];
    for (let step = 0; step < warmup + steps; step++) {
      const began = performance.now();
      await doStep(step);
      whole.push(performance.now() - began);
    }
    await session.close();
    const { gradients, update, forward, backward } = spent;
    const phases = strategy === 'tensor' ? [forward, backward] : [gradients, update];
    const [step, first, second] = [whole, ...phases].map((times) => times.slice(warmup));
    console.log(JSON.stringify({ step, first, second }));
  });
}

if (argv[1] === SELF) {
  const [how = 'data', steps = 60, warmup = 10] = argv.slice(2);
  await measure(how, Number(steps), Number(warmup));
}
