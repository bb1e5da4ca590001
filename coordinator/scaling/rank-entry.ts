// Owns a process of a contestant that mpirun has started: rank 0 is asked, through mpirun, and the others do what it tells.
// Arguments: the workers of each rank.
import { availableParallelism } from 'node:os';
import { openMpi } from '../../src/collectives/mpi.js';
import { Bench } from './bench.js';
import { answering } from './child-process.js';
import type { Answer, Question } from './messages.js';
import { dismiss, MpiContestant, serve } from './mpi-contestant.js';

const collective = await openMpi(process.env, new AbortController().signal);
if (collective.rank === 0) {
  let bench: Bench | undefined;
  let job: MpiContestant | undefined;
  answering(
    async (question: Question): Promise<Answer> => {
      if (question.kind === 'measure') return { kind: 'measured', block: await bench!.measure(question.phase) };
      const { options, contestant } = question;
      bench = await Bench.open(options, contestant, async (node) => {
        job = await MpiContestant.open(node, collective, options.fastSum ? 'any' : 'tree');
        return job;
      });
      return { kind: 'opened', traffic: bench.workload.traffic, cores: job?.cores ?? availableParallelism() };
    },
    async () => {
      await dismiss(collective);
      collective.close();
      process.exit();
    },
  );
} else {
  await serve(collective, Number(process.argv[2]));
  collective.close();
  process.exit();
}
