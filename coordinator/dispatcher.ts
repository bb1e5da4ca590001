// Splits each phase of training into shards, hands them to an executor and joins the results. The results depend on the
// number of shards, and never on who computes them.

import type { ImageSize } from '../src/data/augmentation.js';
import { shardRange } from '../src/data/shards.js';
import type { Propagation } from '../src/methods/method.js';
import type { Model } from '../src/models/model.js';
import { parameterCount } from '../src/models/models.js';
import type { PredictResult } from '../src/models/tasks.js';
import type { Executor, ExecutorHealth, TrainingState } from '../src/training/executor.js';
import type { Cuttable } from '../src/training/strategy-choice.js';
import { Propagator, type SearchListener, type Seeds } from './propagation.js';
import type { Predictions, StepOutcome, StepRequest, Strategy } from './strategies/strategy.js';

export interface Labelling extends Predictions {
  /** The number of pseudo-labels that differ from the previous ones. */
  readonly flips: number;
}

/**
 * The number of images of each kind that the executor holds. The evaluation set is the validation images, then the test
 * images.
 */
export interface ImageCounts {
  readonly unlabelled: number;
  readonly validation: number;
  readonly test: number;
}

/** Chooses the strategy that splits a step. */
export type StrategyFor = (step: Cuttable) => Strategy;

export class Dispatcher {
  /** What label() predicted or write() set last. Some strategies need it at the coordinator. */
  private stored: Predictions;
  private propagator: Propagator | undefined;

  constructor(
    private readonly executor: Executor,
    readonly shards: number,
    private readonly counts: ImageCounts,
    private readonly strategyFor: StrategyFor,
  ) {
    const { unlabelled } = counts;
    this.stored = { classes: new Uint16Array(unlabelled), confidences: new Float32Array(unlabelled) };
  }

  get workers(): number {
    return this.executor.workers;
  }

  health(): ExecutorHealth {
    return this.executor.health();
  }

  /** Does one step of training. Throws E_NOT_FINITE before the update, so that the parameters stay unchanged. */
  step(request: StepRequest): Promise<StepOutcome> {
    const { model, augment, optimizer } = request;
    const { clip, average } = optimizer;
    return this.strategyFor({ model, augment, clip, average }).step(request, this.stored);
  }

  /** Predicts a label for every unlabelled image. */
  async label(model: Model): Promise<Labelling> {
    const ranges = this.all((shard) => shardRange(this.counts.unlabelled, this.shards, shard));
    const labelling = await this.labelRanges(model, ranges);
    this.stored = labelling;
    return labelling;
  }

  /** Labels every unlabelled image by a graph of all of them (propagation.ts). */
  async propagate(
    model: Model,
    settings: Propagation,
    seeds: Seeds,
    size: ImageSize,
    told?: SearchListener,
  ): Promise<Labelling> {
    this.propagator ??= new Propagator(this.executor, { set: 'unlabelled', count: this.counts.unlabelled, size });
    const { classes, weights } = await this.propagator.labels(model, settings, seeds, told);
    const before = this.stored.classes;
    const flips = classes.reduce((sum, label, i) => sum + Number(label !== before[i]), 0);
    this.write({ pseudoLabels: classes, confidences: weights });
    return { classes, confidences: weights, flips };
  }

  /**
   * Predicts labels for about `count` of the unlabelled images, as a sample: the last ones of each shard.
   * @returns the labels, and the positions of these images among the unlabelled images
   */
  async labelSome(model: Model, count: number): Promise<Labelling & { readonly positions: Uint32Array }> {
    const ranges = this.all((shard) => {
      const [start, end] = shardRange(this.counts.unlabelled, this.shards, shard);
      return [Math.max(start, end - Math.ceil(count / this.shards)), end] as const;
    });
    const positions = ranges.flatMap(([start, end]) => Array.from({ length: end - start }, (_, i) => start + i));
    return { ...(await this.labelRanges(model, ranges)), positions: Uint32Array.from(positions) };
  }

  /** Predicts the classes of the validation or the test images. */
  async classify(model: Model, set: 'validation' | 'test'): Promise<Predictions> {
    const first = set === 'validation' ? 0 : this.counts.validation;
    const ranges = this.all((shard) => {
      const [start, end] = shardRange(this.counts[set], this.shards, shard);
      return [first + start, first + end] as const;
    });
    return predictionsOf(await this.executor.predict(model, 'evaluation', ranges));
  }

  /** Returns a copy of the state. */
  read(model: Model): Promise<TrainingState> {
    return this.executor.read(parameterCount(model));
  }

  write(state: Partial<TrainingState>): void {
    this.executor.write(state);
    const { pseudoLabels = this.stored.classes, confidences = this.stored.confidences } = state;
    this.stored = { classes: pseudoLabels, confidences };
  }

  close(): Promise<void> {
    return this.executor.close();
  }

  private async labelRanges(model: Model, ranges: readonly (readonly [number, number])[]): Promise<Labelling> {
    const results = await this.executor.predict(model, 'unlabelled', ranges);
    return { ...predictionsOf(results), flips: results.reduce((sum, result) => sum + result.flips, 0) };
  }

  private all<T>(make: (shard: number) => T): T[] {
    return Array.from({ length: this.shards }, (_, shard) => make(shard));
  }
}

function predictionsOf(results: readonly PredictResult[]): Predictions {
  return {
    classes: concatenated(
      results.map((result) => result.classes),
      Uint16Array,
    ),
    confidences: concatenated(
      results.map((result) => result.confidences),
      Float32Array,
    ),
  };
}

function concatenated<T extends Uint16Array | Float32Array>(parts: readonly T[], type: new (length: number) => T): T {
  const whole = new type(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
