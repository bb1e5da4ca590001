// Owns hidden-unit sharding as the coordinator does it: the workers hold the hidden units, the coordinator the labels and the loss. Up come
// partial logits, down goes their gradient, and the gradient of the weights exists nowhere but in the caches of the workers.
import { drawOfShards, type ShardOrder, ShardSampler } from '../../src/data/sampling.js';
import { dropoutOf } from '../../src/engine/dense.js';
import { cached } from '../../src/engine/engine.js';
import type { Model } from '../../src/engine/model.js';
import { FINITE_BOUND } from '../../src/engine/network.js';
import { type Labels, type Loss, OutputLayer } from '../../src/engine/output.js';
import { rowCountsOf } from '../../src/engine/slices.js';
import type { Node } from '../../src/protocol/node.js';
import type { Logits, SlicedStep } from '../../src/protocol/slices.js';
import { notFinite, type Predictions, type StepOutcome, type StepRequest, type Strategy } from './strategy.js';

const NO_LABELS: Labels = { classes: new Uint8Array(), confidences: new Float32Array(), classMasses: [] };

export class HiddenSharding implements Strategy {
  private readonly outputLayers = new Map<string, OutputLayer>();
  private readonly samplers = new Map<string, ShardSampler>();

  /** unlabelled: images in the set. */
  constructor(
    private readonly node: Node,
    private readonly shards: number,
    private readonly unlabelled: number,
  ) {}

  async step(request: StepRequest, stored: Predictions): Promise<StepOutcome> {
    const { model } = request;
    const step = this.slicedStep(request);
    const output = this.outputLayer(request, step);
    const sums = await this.node.forward(step);

    const labels = request.labelled?.labels ?? new Uint8Array();
    const pseudo = this.pseudoLabels(request, step, output, sums, stored);
    const { factor, batch, threshold } = request.unlabelled ?? { factor: 0, batch: 1, threshold: 0 };
    const counts = Array.from(pseudo.confidences, (confidence) => Number(confidence >= threshold));
    const weights = [
      ...Array.from(labels, () => 1 / labels.length),
      ...counts.map((count) => (count * factor) / batch),
    ];
    const loss = output.loss(sums.logits, [...labels, ...pseudo.classes], weights);
    if (!isBounded(model, sums, loss)) throw notFinite(request);
    await this.node.backward(loss.gradient);

    const unlabelledLosses = loss.losses.subarray(labels.length).filter((_, r) => counts[r]);
    return {
      labelledLoss: sum(loss.losses.subarray(0, labels.length)) / (labels.length || 1),
      unlabelledLoss: sum(unlabelledLosses) / (unlabelledLosses.length || 1),
      counted: unlabelledLosses.length,
      unlabelled: request.unlabelled?.batch ?? 0,
      rows: weights.length,
      classMasses: pseudo.classMasses,
    };
  }

  /** Without labels: they stay here. */
  private slicedStep({ model, seed, stage, step, labelled, unlabelled, optimizer }: StepRequest): SlicedStep {
    return {
      ...{ model, seed, stage, step, shards: this.shards, optimizer },
      labelledImages: labelled?.images ?? new Uint8Array(),
      unlabelledBatch: unlabelled?.batch ?? 0,
      labelsFresh: unlabelled?.pseudoLabels === 'fresh',
    };
  }

  /** In the order of the step's unlabelled rows. */
  private pseudoLabels(
    { unlabelled }: StepRequest,
    step: SlicedStep,
    output: OutputLayer,
    { clean }: Logits,
    { classes, confidences }: Predictions,
  ): Labels {
    if (!unlabelled) return NO_LABELS;
    if (step.labelsFresh) return output.label(clean, unlabelled.batch, unlabelled.logitShift);
    const sampler = (order: ShardOrder) => cached(this.samplers, JSON.stringify(order), () => new ShardSampler(order));
    const positions = drawOfShards(sampler, { ...step, count: this.unlabelled, batch: unlabelled.batch });
    return {
      classes: Uint8Array.from(positions, (position) => classes[position]!),
      confidences: Float32Array.from(positions, (position) => confidences[position]!),
      classMasses: [],
    };
  }

  private outputLayer({ model, labelled }: StepRequest, step: SlicedStep): OutputLayer {
    const counts = rowCountsOf(labelled?.labels.length ?? 0, step);
    return cached(this.outputLayers, JSON.stringify([model, counts]), () => new OutputLayer(model, counts));
  }
}

/**
 * Whether every element of the parameters' gradient is, by bounds alone: |dW1[u, i]| <= sum_r |dz[u, r]| * max |x|, where
 * sum_r |dz[u, r]| <= scale * sum_c |W2[c, u]| * sum_r |g[c, r]|; |dW2[c, u]| <= sum_r |g[c, r]| * max h. NaN fails the comparisons.
 */
function isBounded(
  { layers, inputDropout }: Model,
  { activationBound, weightBound }: Logits,
  { losses, gradient }: Loss,
): boolean {
  const total = gradient.reduce((most, value) => most + Math.abs(value), 0);
  const scale = dropoutOf(layers[0]!.dropout, 0).scale * dropoutOf(inputDropout, 0).scale;
  return (
    losses.every(Number.isFinite) &&
    total < FINITE_BOUND &&
    scale * weightBound * total < FINITE_BOUND &&
    activationBound * total < FINITE_BOUND
  );
}

const sum = (values: Float32Array): number => values.reduce((total, value) => total + value, 0);
