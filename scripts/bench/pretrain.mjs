// Pre-training steps of the autoencoder, 784-5000-128-64-32-64-128-5000-784, cut into rows and into hidden units, by
// one worker and by two: of 32 rows as in the report, and of 256. All in this process, interleaved in blocks. npm run
// bench -- pretrain [--rounds 5]

import { openSession } from '../../dist/coordinator/compose.js';
import { resolveRun } from '../../dist/coordinator/runs/resolved-run.js';
import { loadDataset } from '../../dist/src/data/load.js';
import { methodOf } from '../../dist/src/methods/methods.js';
import { exchangesOf, widthsOf } from '../../dist/src/models/dense/tensor-blocks.js';
import { initialParameters, parameterCount } from '../../dist/src/models/models.js';
import { normalise } from '../../dist/src/training/config.js';
import { optimizerStep } from '../../dist/src/training/stage.js';
import { inTurns, median } from './measuring.mjs';

const CONTESTANTS = ['tensor', 'data'].flatMap((strategy) => [2, 1].map((workers) => ({ strategy, workers })));
/** Steps of a block, of 32 rows and of 256. */
const STEPS = { report: 30, best: 8 };
const WARMUP = 5;

/** @param {{ rounds: number }} options */
export async function benchPretrain({ rounds }) {
  for (const preset of ['report', 'best']) await compare(preset, rounds);
}

async function compare(preset, rounds) {
  const contestants = [];
  for (const contestant of CONTESTANTS) contestants.push(await opened(preset, contestant));
  await inTurns(contestants, rounds, async ({ step, times }) => {
    for (let s = 0; s < STEPS[preset]; s++) times.push(await step());
  });
  for (const { session } of contestants) await session.close();
  const first = median(contestants[0].times);
  console.table(
    contestants.map(({ rows, strategy, workers, times, kilobytes }) => ({
      rows,
      strategy,
      workers,
      'ms, median': median(times).toFixed(1),
      'ms, least': Math.min(...times).toFixed(1),
      ratio: (median(times) / first).toFixed(2),
      'KB to a node and from it': kilobytes,
    })),
  );
}

async function opened(preset, { strategy, workers }) {
  // As many shards for one worker as for two: the same work.
  const config = normalise({ scenario: 'dae', preset, strategy, workers, shards: 2 });
  const run = resolveRun(config, await loadDataset());
  const session = await openSession([run]);
  const [stage] = run.stages;
  const { model, method } = stage;
  const length = parameterCount(model);
  const zeros = new Float32Array(length);
  session.dispatcher.write({ parameters: initialParameters(model, 1, 0), firstMoment: zeros, secondMoment: zeros });
  let number = 0;
  const step = async () => {
    const began = performance.now();
    await session.dispatcher.step({
      model,
      seed: 1,
      stage: 0,
      step: number,
      labelled: undefined,
      unlabelled: methodOf(method).rows(method, 0, {}, []),
      optimizer: optimizerStep(stage, number),
    });
    number++;
    return performance.now() - began;
  };
  for (let s = 0; s < WARMUP; s++) await step();
  const rows = method.batch;
  return { rows, strategy, workers, session, step, times: [], kilobytes: kilobytesOf(strategy, model, rows) };
}

/** Floats of a step: sums up and values down, or the gradient each way. */
function kilobytesOf(strategy, model, rows) {
  const widths = exchangesOf(model).map((exchange) => widthsOf(model, exchange));
  const bytes = (of) => (strategy === 'data' ? 4 * parameterCount(model) : 4 * rows * sum(widths.map(of)));
  return [({ down }) => down, ({ up }) => up].map((of) => Math.round(bytes(of) / 1000)).join(' + ');
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
