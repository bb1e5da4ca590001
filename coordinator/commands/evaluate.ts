// `pseudolabel evaluate`: measures how good a saved model is on a test set.
import type { Command } from 'commander';
import { type Dataset, type ImageSet, relabelled } from '../../src/data/dataset.js';
import { PseudolabelError } from '../../src/errors.js';
import { counted, percent } from '../../src/format.js';
import { accuracy, confusionMatrix } from '../../src/reporting/metrics.js';
import { confusionLines } from '../terminal/table.js';
import type { Context } from './options.js';
import {
  addModelOptions,
  classified,
  classNamesOf,
  datasetFor,
  loadClassifier,
  type ModelFlags,
  speedLine,
} from './saved-model.js';

const HELP = `
Examples:
  $ pseudolabel evaluate runs/paper-dae/model
  $ pseudolabel evaluate runs/paper-dae --data fashion-mnist --json -`;

export function addEvaluate(program: Command, context: Context): void {
  addModelOptions(
    program.command('evaluate').description('accuracy and confusion matrix of a saved model on test images'),
  )
    .addHelpText('after', HELP)
    .action((folder: string, flags: ModelFlags) => evaluate(folder, flags, context));
}

async function evaluate(folder: string, flags: ModelFlags, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const saved = await loadClassifier(folder, flags.precision);
  const dataset = await datasetFor(folder, saved, flags, context);
  const classNames = classNamesOf(saved, dataset);
  const { images, labels, count } = testOf(dataset, classNames);
  const { predicted, speed } = await classified(saved, images, flags, signal);
  const testAccuracy = accuracy(predicted.classes, labels);
  const confusion = confusionMatrix(predicted.classes, labels, classNames.length);
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

/** The test images, with labels as the model numbers its classes. Throws E_DATA_MISSING and E_MODEL. */
function testOf({ name, test, classNames: names }: Dataset, classNames: readonly string[]): ImageSet {
  if (!test) {
    const fix = 'give a data set with test images and their labels, or use `pseudolabel label`, which needs none';
    throw new PseudolabelError('E_DATA_MISSING', `${name} has no test images with labels`, fix);
  }
  const { labels, missing } = relabelled(test.labels, names, classNames);
  if (missing === undefined) return { ...test, labels };
  const known = `${classNames.slice(0, 10).join(', ')}${classNames.length > 10 ? ', ...' : ''}`;
  throw new PseudolabelError(
    'E_MODEL',
    `${name} has test images of class ${missing}, the model knows only ${known}`,
    'give a data set of the classes that it was trained on',
  );
}
