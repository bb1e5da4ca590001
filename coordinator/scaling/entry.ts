// Owns the process of a contestant. It prepares its work and measures block after block, each when it is asked to: in between it must
// use no core that another contestant could have. A process of its own, since TensorFlow reads its number of threads only once.
import { availableParallelism } from 'node:os';
import { Bench } from './bench.js';
import { answering } from './child-process.js';
import { ClusterContestant } from './cluster-contestant.js';
import type { Answer, Question } from './messages.js';

let bench: Bench | undefined;

answering(async (question: Question): Promise<Answer> => {
  if (question.kind === 'measure') return { kind: 'measured', block: await bench!.measure(question.phase) };
  const { options, contestant } = question;
  bench = await Bench.open(options, contestant, (node) => ClusterContestant.open(node, contestant.others));
  return { kind: 'opened', traffic: bench.workload.traffic, cores: availableParallelism() };
});
