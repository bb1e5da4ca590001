// Owns the process of a contestant. It prepares its work and measures block after block, each when it is asked to: in between it must
// use no core that another contestant could have. A process of its own, since TensorFlow reads its number of threads only once.
import { PseudolabelError } from '../../src/errors.js';
import { Bench } from './bench.js';
import type { Answer, Question } from './messages.js';

let bench: Bench | undefined;

process.on('message', (question: Question) => {
  void answerTo(question)
    .catch(failed)
    .then((answer) => process.send!(answer));
});
process.on('disconnect', () => process.exit());

async function answerTo(question: Question): Promise<Answer> {
  if (question.kind === 'open') {
    bench = await Bench.open(question.options, question.contestant);
    return { kind: 'opened', traffic: bench.workload.traffic };
  }
  return { kind: 'measured', block: await bench!.measure(question.phase) };
}

function failed(error: unknown): Answer {
  const { code, message, fix } =
    error instanceof PseudolabelError ? error : { code: undefined, message: String(error), fix: '' };
  return { kind: 'failed', code, message, fix };
}
