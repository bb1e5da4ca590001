// Owns tensor-parallel steps as a whole: the passes over slices, wherever those are, and between them the middle of the network, which no
// slice has. It is computed here, once for all, and its parameters are those of the arena here.

import type { Arena } from '../src/engine/arena.js';
import { loadKernel } from '../src/engine/kernel/kernel.js';
import type { Logits, TensorResult, TensorStep } from '../src/engine/tensor-tasks.js';
import { PseudolabelError } from '../src/errors.js';
import { cached } from '../src/models/dense/engine.js';
import { dropoutOf } from '../src/models/dense/layer.js';
import { NarrowLayers } from '../src/models/dense/narrow-layers.js';
import { FINITE_BOUND } from '../src/models/dense/network.js';
import { exchangesOf } from '../src/models/dense/tensor-blocks.js';
import { placesIn, rowCountsOf, tensorShardCount } from '../src/models/dense/tensor-layout.js';
import { keyOf, laneStates } from '../src/random.js';

/** Those who hold slices. */
export interface ShardPasses {
  /** Sums over all slices of the first pass of a step. */
  forward(step: TensorStep): Promise<Logits>;
  /** Of its next pass, for which these values are needed. */
  onward(values: Float32Array): Promise<Logits>;
  /** The values after the last pass: updates all slices. */
  backward(values: Float32Array): Promise<TensorResult[]>;
}

/** A step of a network with a middle that waits for the gradient at its logits. */
interface Asked {
  readonly step: TensorStep;
  readonly narrowLayers: NarrowLayers;
  /** Of what the first pair gave. */
  readonly bounds: Pick<Logits, 'activationBound' | 'weightBound'>;
}

export class TensorPasses {
  private readonly kernel;
  private readonly narrowLayersOfEach = new Map<string, NarrowLayers>();
  private asked: Asked | undefined;
  private updates = 0;

  /** workers: those of the node whose arena it is. */
  constructor(
    private readonly arena: Arena,
    private readonly workers: number,
    private readonly passes: ShardPasses,
  ) {
    this.kernel = loadKernel(arena.memory);
  }

  /** The logits. */
  async forward(step: TensorStep): Promise<Logits> {
    this.asked = undefined;
    const sums = await this.passes.forward(step);
    if (exchangesOf(step.model).length === 1) return sums;
    const narrowLayers = this.middleOf(step);
    const { seed, stage, step: number } = step;
    const inner = narrowLayers.forward(sums.logits, (layer) =>
      laneStates(keyOf(seed, 'mask', stage, number, 0, layer + 1)),
    );
    const logits = await this.passes.onward(inner);
    this.asked = { step, narrowLayers, bounds: sums };
    return logits;
  }

  /** gradient: at the logits. Throws E_NOT_FINITE before anything is updated. */
  async backward(gradient: Float32Array): Promise<TensorResult[]> {
    const { asked } = this;
    this.asked = undefined;
    if (!asked) return this.passes.backward(gradient);
    const { step, narrowLayers, bounds } = asked;
    const upper = await this.passes.onward(gradient);
    const below = narrowLayers.backward(upper.logits);
    const scale = dropoutOf(step.model.layers[0]!.dropout, 0).scale * dropoutOf(step.model.inputDropout, 0).scale;
    const areFinite =
      below.areFinite &&
      upper.activationBound * narrowLayers.outputBound < FINITE_BOUND &&
      bounds.activationBound * below.largest < FINITE_BOUND &&
      scale * bounds.weightBound * below.largest < FINITE_BOUND;
    if (!areFinite) throw notFinite(step);
    const results = this.passes.backward(below.gradient);
    this.updates++;
    narrowLayers.update(step.optimizer, this.updates);
    return results;
  }

  private middleOf(step: TensorStep): NarrowLayers {
    const { arena, kernel, narrowLayersOfEach, workers } = this;
    const { model, shards, labelledImages } = step;
    const counts = rowCountsOf(labelledImages.length / arena.shape.pixels, step);
    const slices = tensorShardCount(model, shards);
    const { narrowLayers } = placesIn(arena, model, counts, slices, Math.min(workers, slices));
    const build = () => new NarrowLayers(kernel, arena, model, counts.rows, narrowLayers);
    return cached(narrowLayersOfEach, JSON.stringify([model, counts.rows, narrowLayers]), build);
  }
}

function notFinite({ stage, step }: TensorStep): PseudolabelError {
  const fix = 'a smaller learning rate helps; the last checkpoint holds the parameters of before';
  return new PseudolabelError('E_NOT_FINITE', `the gradient is not finite in stage ${stage}, step ${step}`, fix);
}
