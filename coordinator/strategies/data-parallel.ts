// Owns data-parallel training: every shard computes the gradient of its rows, and the sum of all updates the parameters.
import { shardRange } from '../../src/data/shards.js';
import type { Executor, ShardStep } from '../../src/engine/executor.js';
import type { GradientResult } from '../../src/engine/tasks.js';
import { notFinite, type StepOutcome, type StepRequest, type Strategy } from './strategy.js';

export class DataParallel implements Strategy {
  constructor(
    private readonly node: Executor,
    private readonly shards: number,
  ) {}

  async step(request: StepRequest): Promise<StepOutcome> {
    const steps = Array.from({ length: this.shards }, (_, shard) => this.shardStep(request, shard));
    const results = await this.node.gradients(steps);
    results.forEach((result, shard) => {
      if (!result.finite) throw notFinite(request, `, shard ${shard}`);
    });
    await this.node.update(request.model, this.shards, request.optimizer);
    return outcomeOf(results, request);
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

/** In the order of the shards. A shard without unlabelled rows has no sums. */
function summed(vectors: readonly (readonly number[])[]): number[] {
  const sums = new Array<number>(Math.max(...vectors.map(({ length }) => length))).fill(0);
  for (const vector of vectors) for (const [c, value] of vector.entries()) sums[c]! += value;
  return sums;
}
