// Trains by tensor-parallel steps: the workers hold the hidden units, the coordinator holds the targets and computes
// the loss. Workers send partial logits to the coordinator, which sends their gradient back. The gradient of the
// weights exists only in the caches of the workers.

import { CacheOf } from '../../src/cached.js';
import { Images } from '../../src/data/images.js';
import { drawOfShards, Samplers } from '../../src/data/sampling.js';
import type { Prediction, UnlabelledRows } from '../../src/methods/method.js';
import { lossSums, NO_PREDICTION, setTargets, storedPrediction } from '../../src/methods/targets.js';
import { dropoutOf } from '../../src/models/dense/layer.js';
import type { DenseModel } from '../../src/models/dense/model.js';
import { FINITE_BOUND } from '../../src/models/dense/network.js';
import { type Loss, OutputLayer } from '../../src/models/dense/output-layer.js';
import { rowCountsOf } from '../../src/models/dense/tensor-layout.js';
import { denseOnly, termsOf } from '../../src/models/models.js';
import type { Logits, TensorStep } from '../../src/models/tensor-tasks.js';
import type { Executor } from '../../src/training/executor.js';
import {
  notFiniteIn,
  outcomeOf,
  type Predictions,
  type StepOutcome,
  type StepRequest,
  type Strategy,
} from './strategy.js';

export class TensorParallel implements Strategy {
  private readonly outputLayers = new CacheOf<DenseModel, OutputLayer>();
  private readonly samplers = new Samplers();

  /**
   * unlabelled: the number of images in the unlabelled set. images: these images, for a stage that reconstructs them.
   */
  constructor(
    private readonly executor: Executor,
    private readonly shards: number,
    private readonly unlabelled: number,
    private readonly images = new Images(0, []),
  ) {}

  async step(request: StepRequest, stored: Predictions): Promise<StepOutcome> {
    const { model, labelled, unlabelled } = request;
    const labels = labelled?.labels ?? new Uint16Array();
    const batch = unlabelled?.batch ?? 0;
    const terms = termsOf(model);
    const step = this.tensorStep(request);
    const output = this.outputLayer(step, labels.length);
    const forward = this.executor.forward(step);
    // Runs while the workers compute.
    if (model.objective === 'reconstruction') output.aimAtImages(this.images, this.drawn(step, batch));
    const pass = await forward;

    const prediction = this.predictionOf(unlabelled, step, output, pass, stored);
    const rows = { labels, labelledBatch: labels.length, unlabelled, terms };
    const { counts, statistics } = setTargets(rows, prediction, output.goals);
    const loss = output.loss(pass.logits, labels.length + batch);
    if (!isBounded(step.model, pass, loss)) throw notFiniteIn(request);
    await pass.backward(loss.gradient);
    const results = { rows: labels.length + batch, ...lossSums(loss.losses, labels.length, counts, terms), statistics };
    return outcomeOf([results], request);
  }

  /** Makes the request to the workers, without the labels: they stay at the coordinator. */
  private tensorStep({ model: given, seed, stage, step, labelled, unlabelled, optimizer }: StepRequest): TensorStep {
    const model = denseOnly(given, 'cut into tensor shards');
    const { noise = 0 } = unlabelled ?? {};
    return {
      model,
      seed,
      stage,
      step,
      shards: this.shards,
      optimizer,
      labelledImages: labelled?.images ?? new Uint8Array(),
      unlabelledBatch: unlabelled?.batch ?? 0,
      labelsFresh: unlabelled?.pseudoLabels === 'fresh',
      ...(noise > 0 && { noise }),
    };
  }

  /** Returns the positions of the step's unlabelled rows. */
  private drawn(step: TensorStep, batch: number): Uint32Array {
    return drawOfShards((order) => this.samplers.of(order), { ...step, count: this.unlabelled, batch });
  }

  /** Returns the predictions of the step's unlabelled rows, in their order. */
  private predictionOf(
    unlabelled: UnlabelledRows | undefined,
    step: TensorStep,
    output: OutputLayer,
    { clean }: Logits,
    stored: Predictions,
  ): Prediction {
    if (!unlabelled) return NO_PREDICTION;
    const { batch, pseudoLabels, logitShift, masses } = unlabelled;
    if (pseudoLabels === 'fresh') return output.predict(clean, batch, logitShift, masses);
    return pseudoLabels === 'stored'
      ? storedPrediction(this.drawn(step, batch), stored)
      : { ...NO_PREDICTION, rows: batch };
  }

  private outputLayer(step: TensorStep, labels: number): OutputLayer {
    const { model } = step;
    const counts = rowCountsOf(labels, step);
    return this.outputLayers.get(model, [counts.rows, counts.clean], () => new OutputLayer(model, counts));
  }
}

/**
 * Returns whether every element of the gradient is finite, for the parameters of the output layer and of the layer
 * below it. It uses bounds alone: |dW1[u, i]| <= sum_r |dz[u, r]| * max |x|, where sum_r |dz[u, r]| <= scale * sum_c
 * |W2[c, u]| * max_c sum_r |g[c, r]|; |dW2[c, u]| <= sum_r |g[c, r]| * max h. NaN fails the comparisons. The executor
 * bounds the layers further below (worker/tensor-steps.ts).
 */
function isBounded(
  { layers, inputDropout }: DenseModel,
  { activationBound, weightBound }: Logits,
  { losses, largest }: Loss,
): boolean {
  const scale = dropoutOf(layers.at(-2)!.dropout, 0).scale * dropoutOf(inputDropout, 0).scale;
  return (
    losses.every(Number.isFinite) &&
    largest < FINITE_BOUND &&
    scale * weightBound * largest < FINITE_BOUND &&
    activationBound * largest < FINITE_BOUND
  );
}
