// Owns steps by hidden units as a whole: the passes over slices, wherever those are, and between them the middle of the network, which no
// slice has. It is computed here, once for all, and its parameters are those of the arena here.

import type { Arena } from '../src/engine/arena.js';
import { dropoutOf } from '../src/engine/dense.js';
import { cached } from '../src/engine/engine.js';
import { loadKernel } from '../src/engine/kernel/kernel.js';
import { Middle } from '../src/engine/middle.js';
import { FINITE_BOUND } from '../src/engine/network.js';
import { exchangesOf } from '../src/engine/pairs.js';
import { placesIn, rowCountsOf, sliceCount } from '../src/engine/slices.js';
import { PseudolabelError } from '../src/errors.js';
import type { Logits, SlicedStep, SliceResult } from '../src/protocol/slices.js';
import { keyOf, laneStates } from '../src/random.js';

/** Those who hold slices. */
export interface SlicePasses {
  /** Sums over all slices of the first pass of a step. */
  forward(step: SlicedStep): Promise<Logits>;
  /** Of its next pass, for which these values are needed. */
  onward(values: Float32Array): Promise<Logits>;
  /** The values after the last pass: updates all slices. */
  backward(values: Float32Array): Promise<SliceResult[]>;
}

/** A step of a network with a middle that waits for the gradient at its logits. */
interface Asked {
  readonly step: SlicedStep;
  readonly middle: Middle;
  /** Of what the first pair gave. */
  readonly bounds: Pick<Logits, 'activationBound' | 'weightBound'>;
}

export class WholeSteps {
  private readonly kernel;
  private readonly middles = new Map<string, Middle>();
  private asked: Asked | undefined;
  private updates = 0;

  /** workers: those of the node whose arena it is. */
  constructor(
    private readonly arena: Arena,
    private readonly workers: number,
    private readonly passes: SlicePasses,
  ) {
    this.kernel = loadKernel(arena.memory);
  }

  /** The logits. */
  async forward(step: SlicedStep): Promise<Logits> {
    this.asked = undefined;
    const sums = await this.passes.forward(step);
    if (exchangesOf(step.model).length === 1) return sums;
    const middle = this.middleOf(step);
    const { seed, stage, step: number } = step;
    const inner = middle.forward(sums.logits, (layer) => laneStates(keyOf(seed, 'mask', stage, number, 0, layer + 1)));
    const logits = await this.passes.onward(inner);
    this.asked = { step, middle, bounds: sums };
    return logits;
  }

  /** gradient: at the logits. Throws E_NOT_FINITE before anything is updated. */
  async backward(gradient: Float32Array): Promise<SliceResult[]> {
    const { asked } = this;
    this.asked = undefined;
    if (!asked) return this.passes.backward(gradient);
    const { step, middle, bounds } = asked;
    const upper = await this.passes.onward(gradient);
    const below = middle.backward(upper.logits);
    const scale = dropoutOf(step.model.layers[0]!.dropout, 0).scale * dropoutOf(step.model.inputDropout, 0).scale;
    const areFinite =
      below.areFinite &&
      upper.activationBound * middle.outputBound < FINITE_BOUND &&
      bounds.activationBound * below.largest < FINITE_BOUND &&
      scale * bounds.weightBound * below.largest < FINITE_BOUND;
    if (!areFinite) throw notFinite(step);
    const results = this.passes.backward(below.gradient);
    this.updates++;
    middle.update(step.optimizer, this.updates);
    return results;
  }

  private middleOf(step: SlicedStep): Middle {
    const { arena, kernel, middles, workers } = this;
    const { model, shards, labelledImages } = step;
    const counts = rowCountsOf(labelledImages.length / arena.shape.pixels, step);
    const slices = sliceCount(model, shards);
    const { middle } = placesIn(arena, model, counts, slices, Math.min(workers, slices));
    const build = () => new Middle(kernel, arena, model, counts.rows, middle);
    return cached(middles, JSON.stringify([model, counts.rows, middle]), build);
  }
}

function notFinite({ stage, step }: SlicedStep): PseudolabelError {
  const fix = 'a smaller learning rate helps; the last checkpoint holds the parameters of before';
  return new PseudolabelError('E_NOT_FINITE', `the gradient is not finite in stage ${stage}, step ${step}`, fix);
}
