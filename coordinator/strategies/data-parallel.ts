// Trains by data-parallel steps: each shard computes the gradient of its rows, and the sum of all gradients updates the
// parameters.

import { shardRange } from '../../src/data/shards.js';
import { inputsOf } from '../../src/models/models.js';
import type { Executor, ShardStep } from '../../src/training/executor.js';
import { notFiniteIn, outcomeOf, type StepOutcome, type StepRequest, type Strategy } from './strategy.js';

export class DataParallel implements Strategy {
  constructor(
    private readonly executor: Executor,
    private readonly shards: number,
  ) {}

  async step(request: StepRequest): Promise<StepOutcome> {
    const steps = Array.from({ length: this.shards }, (_, shard) => this.shardStep(request, shard));
    const { results, update } = await this.executor.gradients(steps);
    results.forEach((result, shard) => {
      if (!result.finite) throw notFiniteIn(request, `, shard ${shard}`);
    });
    await update(request.optimizer);
    return outcomeOf(results, request);
  }

  private shardStep({ optimizer: _, labelled, ...request }: StepRequest, shard: number): ShardStep {
    const labelledBatch = labelled?.labels.length ?? 0;
    const [first, end] = shardRange(labelledBatch, this.shards, shard);
    const pixels = inputsOf(request.model);
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
