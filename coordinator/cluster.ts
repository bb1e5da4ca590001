// Owns what the training loop sees of the machines: it cuts each phase into shards, hands them to a node and puts the answers together.
// The mathematics of a run depends on the number of shards, never on who computes them.

import type { TrainingState } from '../src/checkpoint.js';
import { shardRange } from '../src/data/shards.js';
import { layoutOf, type Model } from '../src/engine/model.js';
import { PseudolabelError } from '../src/errors.js';
import type { Node, NodeHealth, ShardStep } from '../src/protocol/node.js';
import type {
  GradientResult,
  LabelledRows,
  OptimizerStep,
  PredictResult,
  UnlabelledRows,
} from '../src/protocol/tasks.js';

export interface StepRequest {
  readonly model: Model;
  readonly seed: number;
  /** Number of the stage in its run, and of the step in its stage: the names of the step's random streams. */
  readonly stage: number;
  readonly step: number;
  readonly labelled: LabelledRows | undefined;
  readonly unlabelled: UnlabelledRows | undefined;
  readonly optimizer: OptimizerStep;
}

export interface StepOutcome {
  /** Means over the step's labelled rows, and over its unlabelled rows that counted (0 where there were none). */
  readonly labelledLoss: number;
  readonly unlabelledLoss: number;
  /** Unlabelled rows whose confidence reached the threshold. */
  readonly counted: number;
  /** Unlabelled rows of the step, and rows in all. */
  readonly unlabelled: number;
  readonly rows: number;
  /** Sums over the freshly labelled rows of each class's probability; empty where nothing balances them. */
  readonly classMasses: readonly number[];
}

export interface Predictions {
  readonly classes: Uint8Array;
  readonly confidences: Float32Array;
}

export interface Labelling extends Predictions {
  /** Pseudo-labels that differ from the last ones. */
  readonly flips: number;
}

/** How many images of each kind the nodes hold. The evaluation set is the validation images, then the test images. */
export interface ImageCounts {
  readonly unlabelled: number;
  readonly validation: number;
  readonly test: number;
}

export class Cluster {
  constructor(
    private readonly node: Node,
    readonly shards: number,
    private readonly counts: ImageCounts,
  ) {}

  get workers(): number {
    return this.node.workers;
  }

  health(): NodeHealth {
    return this.node.health();
  }

  /** One step of data-parallel training. Throws E_NOT_FINITE before the update, so that the parameters stay as they were. */
  async step(request: StepRequest): Promise<StepOutcome> {
    const { model, optimizer, stage, step } = request;
    const results = await this.node.gradients(this.all((shard) => this.shardStep(request, shard)));
    results.forEach((result, shard) => {
      if (!result.finite) throw notFinite(stage, step, shard);
    });
    await this.node.update(model, this.shards, optimizer);
    return outcomeOf(results, request);
  }

  /** Predicts a label for every unlabelled image. */
  label(model: Model): Promise<Labelling> {
    return this.labelRanges(
      model,
      this.all((shard) => shardRange(this.counts.unlabelled, this.shards, shard)),
    );
  }

  /**
   * Predicts labels for about `count` of the unlabelled images, to see how they are doing: the last ones of each shard.
   * @returns also their positions among the unlabelled images
   */
  async labelSome(model: Model, count: number): Promise<Labelling & { readonly positions: Uint32Array }> {
    const ranges = this.all((shard) => {
      const [start, end] = shardRange(this.counts.unlabelled, this.shards, shard);
      return [Math.max(start, end - Math.ceil(count / this.shards)), end] as const;
    });
    const positions = ranges.flatMap(([start, end]) => Array.from({ length: end - start }, (_, i) => start + i));
    return { ...(await this.labelRanges(model, ranges)), positions: Uint32Array.from(positions) };
  }

  /** Predicted classes of the validation or the test images. */
  async classify(model: Model, set: 'validation' | 'test'): Promise<Predictions> {
    const first = set === 'validation' ? 0 : this.counts.validation;
    const ranges = this.all((shard) => {
      const [start, end] = shardRange(this.counts[set], this.shards, shard);
      return [first + start, first + end] as const;
    });
    return predictionsOf(await this.node.predict(model, 'evaluation', ranges));
  }

  read(model: Model): TrainingState {
    return this.node.read(layoutOf(model).length);
  }

  write(state: Partial<TrainingState>): void {
    this.node.write(state);
  }

  close(): Promise<void> {
    return this.node.close();
  }

  private async labelRanges(model: Model, ranges: readonly (readonly [number, number])[]): Promise<Labelling> {
    const results = await this.node.predict(model, 'unlabelled', ranges);
    return { ...predictionsOf(results), flips: results.reduce((sum, result) => sum + result.flips, 0) };
  }

  private all<T>(make: (shard: number) => T): T[] {
    return Array.from({ length: this.shards }, (_, shard) => make(shard));
  }

  private shardStep({ optimizer: _, labelled, ...request }: StepRequest, shard: number): ShardStep {
    const labelledBatch = labelled?.labels.length ?? 0;
    const [first, end] = shardRange(labelledBatch, this.shards, shard);
    const pixels = request.model.layers[0]!.inputs;
    const part =
      first === end
        ? undefined
        : {
            images: labelled!.images.slice(first * pixels, end * pixels),
            labels: labelled!.labels.slice(first, end),
          };
    return { ...request, shard, shards: this.shards, labelled: part, labelledBatch };
  }
}

function outcomeOf(results: readonly GradientResult[], request: StepRequest): StepOutcome {
  const total = (of: (result: GradientResult) => number) => results.reduce((sum, result) => sum + of(result), 0);
  const counted = total((result) => result.counted);
  return {
    labelledLoss: total((result) => result.labelledLoss) / (request.labelled?.labels.length || 1),
    unlabelledLoss: total((result) => result.unlabelledLoss) / (counted || 1),
    counted,
    unlabelled: request.unlabelled?.batch ?? 0,
    rows: total((result) => result.rows),
    classMasses: summed(results.map((result) => result.classMasses)),
  };
}

function predictionsOf(results: readonly PredictResult[]): Predictions {
  return {
    classes: concatenated(
      results.map((result) => result.classes),
      Uint8Array,
    ),
    confidences: concatenated(
      results.map((result) => result.confidences),
      Float32Array,
    ),
  };
}

/** In the order of the shards. A shard without unlabelled rows has no sums. */
function summed(vectors: readonly (readonly number[])[]): number[] {
  const sums = new Array<number>(Math.max(...vectors.map(({ length }) => length))).fill(0);
  for (const vector of vectors) for (const [c, value] of vector.entries()) sums[c]! += value;
  return sums;
}

function notFinite(stage: number, step: number, shard: number): PseudolabelError {
  return new PseudolabelError(
    'E_NOT_FINITE',
    `loss or gradient is not finite in stage ${stage}, step ${step}, shard ${shard}`,
    'a smaller learning rate helps; the last checkpoint holds the parameters of before',
  );
}

function concatenated<T extends Uint8Array | Float32Array>(parts: readonly T[], type: new (length: number) => T): T {
  const whole = new type(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
