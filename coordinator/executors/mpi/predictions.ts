// Owns predictions by the ranks of a job: who predicts which images, and that what is stored of them is stored here.

import type { PredictResult, PredictTask } from '../../../src/engine/tasks.js';
import { storePseudoLabels } from '../../../src/models/dense/predict.js';
import { layoutOf, type Model } from '../../../src/models/model.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import { assign } from '../cluster/assignment.js';
import { predictInBatches } from '../cluster/prediction.js';
import { misfit } from './failures.js';
import type { OtherRanks } from './other-ranks.js';

type Ranges = readonly (readonly [number, number])[];

export class MpiPredictions {
  constructor(
    private readonly local: ThreadExecutor,
    private readonly others: OtherRanks,
  ) {}

  /** By the parameters in the arena here, in the order of the ranges. */
  async predict(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]> {
    const { local, others } = this;
    await others.bring('parameters', layoutOf(model).length * 4);
    await others.bringImages(set);
    const [end] = assign(ranges.length, [local.workers, ...others.workers]) as [number, ...number[]];
    const mine = local.predict(model, set, ranges.slice(0, end));
    mine.catch(() => undefined);
    const elsewhere = ranges.slice(end);
    const results = await predictInBatches(
      elsewhere,
      async (parts) => {
        const ends = [0, ...assign(parts.length, others.workers)];
        const message = { kind: 'predict', model, set, ranges: parts, ends } as const;
        const [, answered] = await others.together(message, 'predicted', () => mine);
        return answered.flatMap((each) => each.results);
      },
      misfit,
    );
    return [...(await mine), ...this.withFlips(set, elsewhere, results)];
  }

  /** Stores in the arena here what was predicted elsewhere, and forgets which ranks have it too. */
  private withFlips(
    set: PredictTask['set'],
    ranges: Ranges,
    results: readonly Omit<PredictResult, 'flips'>[],
  ): PredictResult[] {
    if (set === 'evaluation') return results.map((result) => ({ ...result, flips: 0 }));
    const { arena } = this.local;
    this.others.hasChanged('pseudoLabels', arena.shape.unlabelled);
    this.others.hasChanged('confidences', arena.shape.unlabelled * 4);
    return results.map((result, i) => ({ ...result, flips: storePseudoLabels(arena, ranges[i]![0], result) }));
  }
}
