// Owns tensor parallelism as the coordinator does it: the workers hold the hidden units, the coordinator the targets and the loss. Up come
// partial logits, down goes their gradient, and the gradient of the weights exists nowhere but in the caches of the workers.
import { drawOfShards, type ShardOrder, ShardSampler } from '../../src/data/sampling.js';
import type { Executor } from '../../src/engine/executor.js';
import type { Logits, TensorStep } from '../../src/engine/tensor-tasks.js';
import { cached } from '../../src/models/dense/engine.js';
import { dropoutOf } from '../../src/models/dense/layer.js';
import { FINITE_BOUND } from '../../src/models/dense/network.js';
import { type Labels, type Loss, OutputLayer } from '../../src/models/dense/output-layer.js';
import { rowCountsOf } from '../../src/models/dense/tensor-layout.js';
import type { Model } from '../../src/models/model.js';
import { notFinite, type Predictions, type StepOutcome, type StepRequest, type Strategy } from './strategy.js';

const NO_LABELS: Labels = { classes: new Uint8Array(), confidences: new Float32Array(), classMasses: [] };

export class TensorParallel implements Strategy {
  private readonly outputLayers = new Map<string, OutputLayer>();
  private readonly samplers = new Map<string, ShardSampler>();

  /** unlabelled: images in the set; images: their bytes, for a stage that reconstructs them. */
  constructor(
    private readonly node: Executor,
    private readonly shards: number,
    private readonly unlabelled: number,
    private readonly images: Uint8Array = new Uint8Array(),
  ) {}

  async step(request: StepRequest, stored: Predictions): Promise<StepOutcome> {
    const step = this.tensorStep(request);
    const output = this.outputLayer(request, step);
    const forward = this.node.forward(step);
    return request.model.objective === 'reconstruction'
      ? this.reconstruct(request, step, output, forward)
      : this.classify(request, step, output, await forward, stored);
  }

  private async classify(
    request: StepRequest,
    step: TensorStep,
    output: OutputLayer,
    sums: Logits,
    stored: Predictions,
  ): Promise<StepOutcome> {
    const labels = request.labelled?.labels ?? new Uint8Array();
    const pseudo = this.pseudoLabels(request, step, output, sums, stored);
    const { factor, batch, threshold } = request.unlabelled ?? { factor: 0, batch: 1, threshold: 0 };
    const counts = Array.from(pseudo.confidences, (confidence) => Number(confidence >= threshold));
    const weights = [
      ...Array.from(labels, () => 1 / labels.length),
      ...counts.map((count) => (count * factor) / batch),
    ];
    output.aimAtLabels([...labels, ...pseudo.classes]);
    const losses = await this.update(request, sums, output.loss(sums.logits, weights));

    const unlabelledLosses = losses.subarray(labels.length).filter((_, r) => counts[r]);
    return {
      labelledLoss: sum(losses.subarray(0, labels.length)) / (labels.length || 1),
      unlabelledLoss: sum(unlabelledLosses) / (unlabelledLosses.length || 1),
      counted: unlabelledLosses.length,
      unlabelled: request.unlabelled?.batch ?? 0,
      rows: weights.length,
      classMasses: pseudo.classMasses,
    };
  }

  /** Of unlabelled rows alone: the targets are the images without noise, of which the coordinator has its own. */
  private async reconstruct(
    request: StepRequest,
    step: TensorStep,
    output: OutputLayer,
    forward: Promise<Logits>,
  ): Promise<StepOutcome> {
    const { batch, factor } = request.unlabelled!;
    const terms = request.model.layers.at(-1)!.units;
    // While the slices compute.
    output.aimAtImages(this.images, this.drawn(step, batch));
    const sums = await forward;
    const weights = Array.from({ length: batch }, () => factor / batch / terms);
    const losses = await this.update(request, sums, output.loss(sums.logits, weights));
    const unlabelledLoss = sum(losses) / terms / batch;
    return { labelledLoss: 0, unlabelledLoss, counted: batch, unlabelled: batch, rows: batch, classMasses: [] };
  }

  /** Returns the losses of the rows. */
  private async update(request: StepRequest, sums: Logits, loss: Loss): Promise<Float32Array> {
    if (!isBounded(request.model, sums, loss)) throw notFinite(request);
    await this.node.backward(loss.gradient);
    return loss.losses;
  }

  /** Without labels: they stay here. */
  private tensorStep({ model, seed, stage, step, labelled, unlabelled, optimizer }: StepRequest): TensorStep {
    const { noise = 0 } = unlabelled ?? {};
    return {
      ...{ model, seed, stage, step, shards: this.shards, optimizer },
      labelledImages: labelled?.images ?? new Uint8Array(),
      unlabelledBatch: unlabelled?.batch ?? 0,
      labelsFresh: unlabelled?.pseudoLabels === 'fresh',
      ...(noise > 0 && { noise }),
    };
  }

  /** Positions of the step's unlabelled rows. */
  private drawn(step: TensorStep, batch: number): Uint32Array {
    const sampler = (order: ShardOrder) => cached(this.samplers, JSON.stringify(order), () => new ShardSampler(order));
    return drawOfShards(sampler, { ...step, count: this.unlabelled, batch });
  }

  /** In the order of the step's unlabelled rows. */
  private pseudoLabels(
    { unlabelled }: StepRequest,
    step: TensorStep,
    output: OutputLayer,
    { clean }: Logits,
    { classes, confidences }: Predictions,
  ): Labels {
    if (!unlabelled) return NO_LABELS;
    if (step.labelsFresh) return output.label(clean, unlabelled.batch, unlabelled.logitShift, unlabelled.masses);
    const positions = this.drawn(step, unlabelled.batch);
    return {
      classes: Uint8Array.from(positions, (position) => classes[position]!),
      confidences: Float32Array.from(positions, (position) => confidences[position]!),
      classMasses: [],
    };
  }

  private outputLayer({ model, labelled }: StepRequest, step: TensorStep): OutputLayer {
    const counts = rowCountsOf(labelled?.labels.length ?? 0, step);
    return cached(this.outputLayers, JSON.stringify([model, counts]), () => new OutputLayer(model, counts));
  }
}

/**
 * Whether every element of the gradient of the output layer's parameters and of those below it is, by bounds alone: |dW1[u, i]| <=
 * sum_r |dz[u, r]| * max |x|, where sum_r |dz[u, r]| <= scale * sum_c |W2[c, u]| * max_c sum_r |g[c, r]|; |dW2[c, u]| <= sum_r |g[c, r]| * max h.
 * NaN fails the comparisons. What is further below, the node bounds (worker/tensor-passes.ts).
 */
function isBounded(
  { layers, inputDropout }: Model,
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

const sum = (values: Float32Array): number => values.reduce((total, value) => total + value, 0);
