// Owns `pseudolabel evaluate`: how good a saved model is on a test set.
import type { Command } from 'commander';
import { loadDataset } from '../../src/data/dataset.js';
import { PseudolabelError } from '../../src/errors.js';
import { counted, percent, whole } from '../../src/format.js';
import { accuracy, confusionMatrix } from '../../src/metrics.js';
import { confusionLines } from '../terminal/table.js';
import { addModelOptions, checkPixels, loadClassifier, type ModelFlags, withPredictor } from './model.js';
import type { Context } from './options.js';

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

async function evaluate(folder: string, flags: ModelFlags, { terminal, signal }: Context): Promise<void> {
  const saved = await loadClassifier(folder, flags.precision);
  const dataset = await loadDataset({ folder: flags.data });
  checkPixels(saved, dataset.rows, dataset.columns, dataset.name);
  const { units } = saved.model.layers.at(-1)!;
  if (dataset.classes > units) {
    const fix = 'give the data set that it was trained on';
    throw new PseudolabelError(
      'E_MODEL',
      `the model knows ${units} classes, ${dataset.name} has ${dataset.classes}`,
      fix,
    );
  }
  const { images, labels, count } = dataset.test;
  const { predicted, seconds, workers } = await withPredictor(
    saved,
    { test: images },
    flags,
    signal,
    async (cluster) => {
      const began = performance.now();
      const { classes } = await cluster.classify(saved.model, 'test');
      return { predicted: classes, seconds: (performance.now() - began) / 1000, workers: cluster.workers };
    },
  );
  const testAccuracy = accuracy(predicted, labels);
  const confusion = confusionMatrix(predicted, labels, units);
  const imagesPerSecond = count / seconds;
  await terminal.deliver(
    ({ bold }) => [
      `${dataset.name}: test accuracy ${bold(percent(testAccuracy))} of ${counted(count, 'image')}`,
      ...confusionLines(confusion),
      `${whole(imagesPerSecond)} images/s with ${counted(workers, 'worker')}`,
    ],
    { model: folder, data: dataset.name, images: count, testAccuracy, confusion, imagesPerSecond, workers },
    flags.json,
  );
}
