// Owns what the coordinator and a node on another machine say to each other about predictions. Labels that it gives are stored here too.
import type { Arena } from '../../../src/engine/arena.js';
import type { PredictResult, PredictTask } from '../../../src/engine/tasks.js';
import { storePseudoLabels } from '../../../src/models/dense/predict.js';
import { layoutOf, type Model } from '../../../src/models/model.js';
import type { ArenaSync } from './arena-sync.js';
import type { MemberLost } from './member.js';
import { predictInBatches } from './prediction.js';
import { areLabelsOf } from './reply-checks.js';
import type { Requests } from './requests.js';

export class RemotePredictions {
  constructor(
    private readonly requests: Requests,
    /** The coordinator's. */
    private readonly arena: Arena,
    private readonly arenaSync: ArenaSync,
    /** Ends the connection for what it sent. */
    private readonly lose: (message: string) => MemberLost,
  ) {}

  async predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]> {
    const { requests, arena, arenaSync, lose } = this;
    const { length } = layoutOf(model);
    await arenaSync.bringParameters(length);
    await arenaSync.bringImages(set, ranges);
    if (set === 'unlabelled') arenaSync.labelsChanged(ranges);

    const work = `labels by a model of ${length} parameters`;
    const results = await predictInBatches(
      ranges,
      async (parts, images) => {
        const message = { kind: 'predict', request: requests.next(), model, set, ranges: parts } as const;
        return (await requests.ask(message, work, images)).results;
      },
      () => lose('its labels do not fit the images'),
    );
    if (!results.every(({ classes, confidences }) => areLabelsOf(model, classes, confidences)))
      throw lose('it sent labels that are no classes of the model');
    if (set === 'evaluation') return results.map((result) => ({ ...result, flips: 0 }));
    arenaSync.labelsAlike(ranges);
    return results.map((result, i) => ({ ...result, flips: storePseudoLabels(arena, ranges[i]![0], result) }));
  }
}
