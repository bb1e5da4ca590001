// Owns the process of a contestant. It opens its workload and measures block after block, each when it is asked to: in between it must
// use no core that another contestant could have. A process of its own, since TensorFlow reads its number of threads only once.
import { PseudolabelError } from '../../src/errors.js';
import type { Answer, Question } from './messages.js';
import { openWorkload, type Workload } from './workload.js';

let workload: Workload | undefined;

process.on('message', (question: Question) => {
  void answerTo(question)
    .catch(failed)
    .then((answer) => process.send!(answer));
});
process.on('disconnect', () => process.exit());

async function answerTo(question: Question): Promise<Answer> {
  if (question.kind === 'open') {
    workload = await openWorkload(question.options, question.contestant);
    return { kind: 'opened', traffic: workload.traffic };
  }
  return { kind: 'measured', block: await workload!.measure(question.phase) };
}

function failed(error: unknown): Answer {
  const { code, message, fix } =
    error instanceof PseudolabelError ? error : { code: undefined, message: String(error), fix: '' };
  return { kind: 'failed', code, message, fix };
}
