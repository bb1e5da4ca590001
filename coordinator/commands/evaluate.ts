// `pseudolabel evaluate`: measures how good a saved model is on a test set.
import type { Command } from 'commander';
import { counted, percent } from '../../src/format.js';
import { loadClassifier } from '../classifier.js';
import { evaluate } from '../library/classify.js';
import { confusionLines } from '../terminal/table.js';
import type { Context } from './options.js';
import { addModelOptions, datasetFor, type ModelFlags, speedLine } from './saved-model.js';

const HELP = `
Examples:
  $ pseudolabel evaluate runs/paper-dae/model
  $ pseudolabel evaluate runs/paper-dae --data fashion-mnist --json -`;

export function addEvaluate(program: Command, context: Context): void {
  addModelOptions(
    program.command('evaluate').description('accuracy and confusion matrix of a saved model on test images'),
  )
    .addHelpText('after', HELP)
    .action((folder: string, flags: ModelFlags) => evaluateModel(folder, flags, context));
}

async function evaluateModel(folder: string, flags: ModelFlags, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const saved = await loadClassifier(folder);
  const dataset = await datasetFor(folder, saved, flags, context);
  terminal.doing('looking at the test images');
  const { accuracy: testAccuracy, ...found } = await evaluate({ saved }, dataset, { workers: flags.workers, signal });
  const { confusion, classNames, images: count, imagesPerSecond, workers } = found;
  const speed = { imagesPerSecond, workers };
  await terminal.deliver(
    ({ bold }) => [
      `${dataset.name}: test accuracy ${bold(percent(testAccuracy))} of ${counted(count, 'image')}`,
      ...confusionLines(confusion, classNames),
      speedLine(speed),
    ],
    { model: folder, data: dataset.name, images: count, testAccuracy, confusion, classNames, ...speed },
    flags.json,
  );
}
